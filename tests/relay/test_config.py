"""Configuration: every value is checked, every complaint is a sentence that names file, key, value and expectation."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blindrelay.relay import config
from blindrelay.relay.errors import BadConfiguration, ExitStatus


def written(folder: Path, text: str | bytes) -> Path:
    """A configuration file."""
    path = folder / config.FILE_NAME
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_without_a_file_there_are_defaults(tmp_path: Path) -> None:
    """Nothing has to be configured."""
    settings = config.load(tmp_path)
    assert settings == config.Settings(data_dir=tmp_path)
    assert (settings.host, settings.port) == ("127.0.0.1", 8883)


def test_a_file_in_the_data_directory_is_read(tmp_path: Path) -> None:
    """Values, and sections with some of their values."""
    written(tmp_path, 'host = "::1"\nport = 0\n[limits]\ndevice_rate = 5\n[retention]\ntraffic_days = 7\n')
    settings = config.load(tmp_path)
    assert (settings.host, settings.port, settings.limits.device_rate) == ("::1", 0, 5)
    assert settings.limits.device_burst == config.Limits().device_burst
    assert settings.retention.traffic_days == 7


def test_the_command_line_counts_more(tmp_path: Path) -> None:
    """What is given as an argument overrides the file."""
    written(tmp_path, 'port = 1\nhost = "::1"\n')
    assert config.load(tmp_path, port=2).port == 2
    assert config.load(tmp_path, port=2).host == "::1"


def test_a_file_may_name_the_data_directory(tmp_path: Path) -> None:
    """With a file elsewhere, the data directory may be in it."""
    path = written(tmp_path, f'data_dir = "{tmp_path}/data"\n')
    assert config.load(file=path).data_dir == tmp_path / "data"
    assert config.load(tmp_path / "other", path).data_dir == tmp_path / "other"


def test_the_default_data_directory_is_the_user_s(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """XDG_DATA_HOME counts when it is absolute, as the specification says."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert config.load().data_dir == tmp_path / "blindrelay" / "relay"
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert config.load().data_dir == tmp_path / ".local" / "share" / "blindrelay" / "relay"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("port = 70000", ["port", "70000", "less than or equal to 65535"]),
        ('port = "8883"', ["port", "'8883'", "valid integer"]),
        ("prot = 8883", ["no setting 'prot'"]),
        ("host = ''", ["host", "at least 1 character"]),
        ("sealed = 1", ["sealed", "boolean"]),
        ("[limits]\ndevice_rat = 1", ["no setting 'limits.device_rat'"]),
        ("[limits]\ndevice_rate = 0", ["limits.device_rate", "0", "greater than 0"]),
        ("[limits]\ndevice_rate = nan", ["limits.device_rate"]),
        ("[limits]\ndevice_rate = inf", ["limits.device_rate"]),
        ("[limits]\nmax_connections = 1.5", ["limits.max_connections", "1.5", "valid integer"]),
        ("[retention]\ntraffic_days = 0", ["retention.traffic_days", "greater than or equal to 1"]),
        ("limits = 3", ["limits", "3"]),
        ("port = ", ["not a TOML file"]),
        ("port = 1\nport = 2", ["not a TOML file"]),
        (b"\xff\xfe", ["not a TOML file"]),
        (b"host = '\xc3'", ["not a TOML file"]),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str | bytes, words: list[str]) -> None:
    """One sentence: the file, the key, the value, what was expected. The relay does not start on it (S10)."""
    path = written(tmp_path, text)
    with pytest.raises(BadConfiguration) as caught:
        config.load(tmp_path)
    message = str(caught.value)
    assert [word for word in [str(path), *words] if word not in message] == []
    assert "\n" not in message
    assert caught.value.exit_status is ExitStatus.BAD_CONFIGURATION


def test_a_file_that_was_asked_for_has_to_be_there(tmp_path: Path) -> None:
    """A misspelt path is an error, not the defaults; so is a folder."""
    with pytest.raises(BadConfiguration, match="does not exist"):
        config.load(tmp_path, tmp_path / "nowhere.toml")
    with pytest.raises(BadConfiguration, match="cannot be read"):
        config.load(tmp_path, tmp_path)


@given(text=st.binary(max_size=300))
def test_any_bytes_are_settings_or_a_sentence(tmp_path_factory: pytest.TempPathFactory, text: bytes) -> None:
    """There is no third outcome."""
    folder = tmp_path_factory.mktemp("config")
    written(folder, text)
    try:
        config.load(folder)
    except BadConfiguration as error:
        assert str(error)  # noqa: PT017 - either outcome is right
