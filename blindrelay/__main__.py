"""`python -m blindrelay`: the command line, where the script is not on the path."""

from blindrelay.cli.main import main

main()
