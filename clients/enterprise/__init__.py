"""The enterprise's side: its certificate authority (`ca`), and enrolling and revoking its people's devices (`enterprise`)."""
