"""Check that a wheel holds each file of each room, byte for byte, and nothing else: `check_wheel.py dist`."""

import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

ROOMS = ("cli", "clients", "console", "policies", "proofs", "protocol", "relay", "witness")


def expected_files(root: Path) -> dict[str, bytes]:
    """Name in the wheel -> content, of what git knows (and of what is new and not ignored)."""
    listed = subprocess.run(  # noqa: S603 - a fixed command
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", "blindrelay", *ROOMS],  # noqa: S607
        cwd=root,
        check=True,
        capture_output=True,
    ).stdout.decode()
    paths = [Path(name) for name in listed.split("\0") if name]
    files = {path: root / path for path in paths if (root / path).is_file()}
    return {
        (path if path.parts[0] == "blindrelay" else Path("blindrelay") / path).as_posix(): source.read_bytes()
        for path, source in files.items()
    }


def main(folder: str) -> int:
    """Print what differs; 0 when nothing does."""
    root = Path(__file__).resolve().parent.parent
    (wheel,) = Path(folder).glob("*.whl")
    expected = expected_files(root)
    with ZipFile(wheel) as archive:
        packed = {name: archive.read(name) for name in archive.namelist() if ".dist-info/" not in name}
        extras = {name.split(".dist-info/")[1] for name in archive.namelist() if ".dist-info/" in name}
    wrong = sorted(
        [f"missing: {name}" for name in expected.keys() - packed.keys()]
        + [f"not of the source: {name}" for name in packed.keys() - expected.keys()]
        + [f"differs: {name}" for name in expected.keys() & packed.keys() if expected[name] != packed[name]]
        + [f"missing: {name}" for name in {"entry_points.txt", "licenses/LICENSE"} - extras]
    )
    sys.stdout.write("".join(f"{line}\n" for line in wrong) or f"{wheel.name}: {len(packed)} files, as in the source\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
