"""Documents that are written from the code are up to date."""

from tools import configuration


def test_configuration_page_is_written_from_the_settings() -> None:
    assert configuration.TARGET.read_text() == configuration.render(), "run: python -m tools.configuration"
