"""The console's reference says what the code says."""

from pathlib import Path

from blindrelay.console.reference import text

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "console.md"


def test_the_page_is_what_the_code_writes() -> None:
    """`python -m blindrelay.console.reference docs/reference/console.md` writes it anew."""
    assert PAGE.read_text(encoding="utf-8") == text()
