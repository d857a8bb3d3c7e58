"""Where settings come from, and what is said when one cannot be meant."""

from pathlib import Path

import pytest

from brokertape.cli.faults import SettingsError
from brokertape.cli.settings import Settings
from brokertape.cli.settings_sources import Flags, load_settings, unknown_variables

NONE = Flags({}, {})


@pytest.fixture(autouse=True)
def empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings of whoever runs the tests."""
    monkeypatch.chdir(tmp_path)


def write(path: Path, text: str) -> Path:
    """A settings file."""
    path.write_text(text)
    return path


def test_without_a_source_there_are_the_defaults() -> None:
    """Nothing is needed to start."""
    assert load_settings(NONE) == Settings()


def test_flags_win_over_variables_over_the_file_over_defaults(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Setting by setting, within one group."""
    write(tmp_path / "brokertape.toml", "[budget]\nlimit = 1\nwindow_s = 1\nmargin_s = 1\n")
    monkeypatch.setenv("BROKERTAPE_BUDGET_LIMIT", "2")
    monkeypatch.setenv("BROKERTAPE_BUDGET_WINDOW_S", "2")
    budget = load_settings(Flags({"budget": {"limit": 3}}, {"budget.limit": "--limit"})).budget
    assert (budget.limit, budget.window_s, budget.margin_s, budget.pace_requests) == (3, 2.0, 1.0, 3)


def test_the_file_is_the_one_that_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """On the command line, else by the variable, else the one that lies here."""
    here = write(tmp_path / "brokertape.toml", "[redis]\nprefix = 'here'")
    by_variable = write(tmp_path / "v.toml", "[redis]\nprefix = 'variable'")
    by_flag = write(tmp_path / "f.toml", "[redis]\nprefix = 'flag'")
    assert load_settings(NONE).redis.prefix == "here"
    monkeypatch.setenv("BROKERTAPE_CONFIG", str(by_variable))
    assert load_settings(NONE).redis.prefix == "variable"
    assert load_settings(NONE, by_flag).redis.prefix == "flag"
    here.unlink()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[redis]\nurk = 'x'", "redis.urk: no such setting, do you mean url?"),
        ("[redus]\nurl = 'x'", "redus: no such setting, do you mean redis?"),
        ("[redis]\nzzz = 1", "redis.zzz: no such setting; there are url, prefix, partitions, timeout_s"),
        ("redis = 'redis://h'", "redis: Input should be"),
        ("[budget]\nlimit = 'many'", "budget.limit: Input should be a valid integer"),
        ("[redis\n", "Expected ']'"),
        ("[publish]\ncodes = ['US.AAPL']", "publish.codes: 'US.AAPL' is of market 'US'"),
    ],
)
def test_a_fault_of_the_file_is_one_line(tmp_path: Path, text: str, complaint: str) -> None:
    """It names the file and the key, and stays a fault when a flag or variable sets the same group."""
    path = write(tmp_path / "x.toml", text)
    for flags in (NONE, Flags({"redis": {"prefix": "p"}}, {"redis.prefix": "--prefix"})):
        with pytest.raises(SettingsError) as error:
            load_settings(flags, path)
        assert str(error.value).startswith(f"{path}: {complaint}")
        assert "\n" not in str(error.value)


def test_a_file_that_is_asked_for_has_to_be_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A misspelt name is not a silent default."""
    with pytest.raises(SettingsError, match="No such file"):
        load_settings(NONE, tmp_path / "gone.toml")
    monkeypatch.setenv("BROKERTAPE_CONFIG", str(tmp_path / "gone.toml"))
    with pytest.raises(SettingsError, match="No such file"):
        load_settings(NONE)


def test_a_fault_of_a_variable_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it is written."""
    monkeypatch.setenv("BROKERTAPE_PUBLISH_CODES", "HK.00700,HK.7")
    with pytest.raises(SettingsError, match=r"^BROKERTAPE_PUBLISH_CODES: 'HK\.7' is not a code"):
        load_settings(NONE)


def test_variables_that_do_not_go_together_name_their_group(monkeypatch: pytest.MonkeyPatch) -> None:
    """No single one of them is at fault."""
    monkeypatch.setenv("BROKERTAPE_RETENTION_DAYS", "20")
    with pytest.raises(SettingsError, match=r"^BROKERTAPE_RETENTION_\*: days = 20 is more than most_days = 14$"):
        load_settings(NONE)


def test_a_fault_of_a_flag_names_the_flag() -> None:
    """As it was typed."""
    with pytest.raises(SettingsError, match=r"^--limit: Input should be greater"):
        load_settings(Flags({"budget": {"limit": 0}}, {"budget.limit": "--limit"}))


def test_no_value_stands_in_a_complaint(tmp_path: Path) -> None:
    """It may be a password."""
    with pytest.raises(SettingsError) as error:
        load_settings(NONE, write(tmp_path / "x.toml", "[redis]\nurl = ['redis://u:hidden@h']"))
    assert "hidden" not in str(error.value)


def test_a_variable_that_is_none_of_ours_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """And does no harm: Kubernetes makes such for a service of our name."""
    monkeypatch.setenv("BROKERTAPE_REDIS_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("BROKERTAPE_GATEWAY", "127.0.0.1:1")
    monkeypatch.setenv("BROKERTAPE_REDIS_PREFIX", "p")
    assert load_settings(NONE).redis.prefix == "p"
    assert unknown_variables() == ["BROKERTAPE_GATEWAY", "BROKERTAPE_REDIS_SERVICE_HOST"]


def test_a_value_may_be_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For secrets: named by the variable with `_FILE` behind it."""
    (tmp_path / "redis").write_text("redis://me:hidden@host\n")
    monkeypatch.setenv("BROKERTAPE_REDIS_URL_FILE", str(tmp_path / "redis"))
    assert load_settings(Flags({}, {})).redis.url.get_secret_value() == "redis://me:hidden@host"
    assert unknown_variables() == []
    monkeypatch.setenv("BROKERTAPE_REDIS_URL", "redis://other")
    with pytest.raises(SettingsError, match="BROKERTAPE_REDIS_URL_FILE: BROKERTAPE_REDIS_URL is there too"):
        load_settings(Flags({}, {}))


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its variable and its path, without what is in it."""
    monkeypatch.setenv("BROKERTAPE_STORE_DATABASE_FILE", str(tmp_path / "gone"))
    with pytest.raises(SettingsError, match=f"BROKERTAPE_STORE_DATABASE_FILE: {tmp_path}/gone: No such file"):
        load_settings(Flags({}, {}))
    (tmp_path / "budget").write_text("hidden")
    monkeypatch.delenv("BROKERTAPE_STORE_DATABASE_FILE")
    monkeypatch.setenv("BROKERTAPE_BUDGET_LIMIT_FILE", str(tmp_path / "budget"))
    with pytest.raises(SettingsError, match="BROKERTAPE_BUDGET_LIMIT_FILE: ") as raised:
        load_settings(Flags({}, {}))
    assert "hidden" not in str(raised.value)
