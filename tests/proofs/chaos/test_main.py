"""The command that runs the proof."""

from pathlib import Path

from click.testing import CliRunner

from blindrelay.proofs.chaos.__main__ import main


def test_the_command_ends_with_one_line(tmp_path: Path) -> None:
    """A short run says what it did, keeps nothing, and closes with how much passed."""
    keep = tmp_path / "kept"
    result = CliRunner().invoke(main, ["--seeds", "1", "--seconds", "1.5", "--devices", "4", "--keep", str(keep)])
    assert result.exit_code == 0, result.output
    assert result.output.endswith("1 passed, 0 failed\n")
    assert "seed 1:" in result.output
    assert not keep.exists()
