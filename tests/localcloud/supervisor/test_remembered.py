"""A state folder serves the filings that it was made from, until another source is named."""

import stat
from pathlib import Path

import pytest

from localcloud.supervisor import cli, instance
from localcloud.supervisor.errors import LocalCloudError
from localcloud.supervisor.layout import EdgarSource, Layout
from localcloud.supervisor.remembered import asked_for, change_of_source, choose, remember, remembered


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Layout(tmp_path / "state")
    made.create()
    return made


def test_a_new_state_gets_the_sample_corpus(layout: Layout) -> None:
    assert remembered(layout) is None
    assert choose(layout, None, contact="") == EdgarSource("sample")
    assert change_of_source(layout, EdgarSource("live", contact="A b@c.example")) == ""


def test_every_kind_of_source_is_served_again(layout: Layout, tmp_path: Path) -> None:
    for source in (
        EdgarSource("sample", companies=4),
        EdgarSource("live", contact="A b@c.example"),
        EdgarSource("folder", folder=tmp_path, contact="é b@c.example"),
    ):
        remember(layout, source)
        assert stat.S_IMODE(layout.edgar_source.stat().st_mode) == 0o600
        assert remembered(layout) == source
        assert choose(layout, None, contact="") == source
        assert change_of_source(layout, source) == ""


def test_a_new_contact_goes_with_the_remembered_source(layout: Layout) -> None:
    remember(layout, EdgarSource("live", contact="A a@c.example"))
    assert choose(layout, None, contact="B b@c.example") == EdgarSource("live", contact="B b@c.example")


def test_a_named_source_wins_and_the_change_is_told(layout: Layout, tmp_path: Path) -> None:
    remember(layout, EdgarSource("folder", folder=tmp_path))
    asked = asked_for("sample", companies=None, contact="")
    chosen = choose(layout, asked, contact="")
    assert chosen == EdgarSource("sample")
    assert change_of_source(layout, chosen) == (
        f"this state was made from {tmp_path}; now serving sample: "
        "filings of one year will be replaced when they are materialized"
    )


def test_a_number_of_companies_names_the_sample_corpus(layout: Layout, tmp_path: Path) -> None:
    remember(layout, EdgarSource("folder", folder=tmp_path))
    assert asked_for(None, companies=None, contact="A b@c.example") is None
    assert asked_for(None, companies=4, contact="") == EdgarSource("sample", companies=4)


def test_a_remembered_folder_that_is_gone_is_told_and_can_be_replaced(layout: Layout, tmp_path: Path) -> None:
    remember(layout, EdgarSource("folder", folder=tmp_path / "gone"))
    with pytest.raises(LocalCloudError, match=r"gone, which is not there any more.*EDGAR=sample"):
        choose(layout, None, contact="")
    sample = EdgarSource("sample")
    assert choose(layout, sample, contact="") == sample
    assert "made from" in change_of_source(layout, sample)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"kind": "ftp"}', '{"kind": "folder"}', '{"kind": "live", "folder": "/x"}', "\udcff"]
)
def test_a_record_of_another_shape_is_an_error_that_names_it(text: str, layout: Layout) -> None:
    layout.edgar_source.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(LocalCloudError, match=r"edgar-source\.json .* delete it"):
        choose(layout, None, contact="")


def run_on(layout: Layout, *options: str) -> int:
    """`run` against a cloud that this process says it is; the command asks for a choice of the user's."""
    check = 'test "$GOVTUNE_UNIVERSE $GOVTUNE_CATALOG" = "AAPL govtune"'
    with instance.claim(layout, "sample (4 companies)") as claim:
        layout.settings.write_text("GOVTUNE_UNIVERSE=320193\nGOVTUNE_CATALOG=govtune\n")
        claim.publish((), ready=True)
        return cli.main(["run", "--state", str(layout.state), *options, "--", "sh", "-c", check])


@pytest.mark.parametrize("options", [(), ("--contact", "A b@c.example"), ("--edgar", "sample", "--companies", "4")])
def test_a_command_takes_the_running_cloud_and_the_users_choices(
    options: tuple[str, ...], layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOVTUNE_UNIVERSE", "AAPL")
    monkeypatch.setenv("GOVTUNE_CATALOG", "elsewhere")
    assert run_on(layout, *options) == 0


@pytest.mark.parametrize("options", [("--edgar", "sample"), ("--companies", "5")])
def test_a_command_that_names_other_filings_is_refused(
    options: tuple[str, ...], layout: Layout, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_on(layout, *options) == 1
    assert "serves EDGAR=sample (4 companies), not sample" in capsys.readouterr().err
