// Filled by the view.
