"""The lawful desk: what becomes of an authority's request, from its receipt to the notice of whom it was about."""
