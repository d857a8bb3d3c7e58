"""One `[[sink]]` of the file of rules: where alerts go, as it is written, and opened."""

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from brokertape.workers.alerts.durations import Duration
from brokertape.workers.alerts.errors import SinkError
from brokertape.workers.alerts.sinks.console import ConsoleSink
from brokertape.workers.alerts.sinks.log_file import LogFileSink
from brokertape.workers.alerts.sinks.message import Sink
from brokertape.workers.alerts.sinks.signing import secret_bytes

if TYPE_CHECKING:
    from brokertape.workers.alerts.sinks.posting import Poster

SECRET_MAX_BYTES = 4096
PER_MINUTE = 30
MOST_PER_MINUTE = 100_000
TIMEOUT_S = 10.0
LASTS_MS = 300_000  # in Alertmanager

_HTTP = ("http://", "https://")

Kind = Literal["console", "file", "webhook", "alertmanager", "apprise"]

_URL = frozenset({"url", "url_file"})
_NEEDS: dict[Kind, frozenset[str]] = {
    "console": frozenset(),
    "file": frozenset({"path"}),
    "webhook": _URL,
    "alertmanager": _URL,
    "apprise": _URL,
}
_MAY: dict[Kind, frozenset[str]] = {
    "console": frozenset(),
    "file": frozenset({"path"}),
    "webhook": _URL | {"secret_file", "timeout"},
    "alertmanager": _URL | {"timeout", "lasts"},
    "apprise": _URL,
}


class SinkTable(BaseModel):
    """A sink. `url_file` and `secret_file` are for what nobody should read in the file of rules."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")]
    kind: Kind
    path: str | None = None
    url: str | None = Field(None, pattern=r"^[a-z][a-z0-9+.-]*://[^\s]+$", repr=False)
    url_file: str | None = None
    secret_file: str | None = None
    timeout: Annotated[float, Field(gt=0, le=60)] | None = None
    lasts: Duration | None = None
    per_minute: Annotated[int, Field(ge=1, le=MOST_PER_MINUTE)] | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        given = {name for name in frozenset().union(*_MAY.values()) if getattr(self, name) is not None}
        if alien := given - _MAY[self.kind]:
            raise ValueError(f"{min(alien)} does not go with kind = {self.kind!r}")
        needed = _NEEDS[self.kind]
        if needed and len(given & needed) != 1:
            raise ValueError(f"kind = {self.kind!r} needs {' or '.join(sorted(needed))}")
        if self.kind != "apprise" and self.url is not None and not self.url.startswith(_HTTP):
            raise ValueError("url: write http:// or https://")
        return self

    @property
    def limit(self) -> int:
        """Messages in any minute. What nobody is woken by has no limit unless it is given one."""
        return self.per_minute or (MOST_PER_MINUTE if self.kind in ("console", "file") else PER_MINUTE)

    def open(self) -> Sink:
        """The sink at work.

        Raises:
            SinkError: A file it names cannot be read, or holds no secret.
        """
        match self.kind:
            case "console":
                return ConsoleSink()
            case "file":
                return self._log_file(Path(self.path or ""))
            case "webhook":
                return self._webhook()
            case "alertmanager":
                return self._alertmanager()
            case "apprise":
                return self._apprise()

    def _log_file(self, path: Path) -> Sink:
        if path.exists() and not path.is_file():  # what is written there cannot be made durable, or taken back
            raise SinkError(f"sink {self.name}: {path} is no file; for standard output write kind = 'console'")
        return LogFileSink(path)

    def _webhook(self) -> Sink:
        from brokertape.workers.alerts.sinks.webhook import WebhookSink

        key = None
        if self.secret_file is not None:
            try:
                key = secret_bytes(self._content(self.secret_file))
            except ValueError as error:
                raise SinkError(f"sink {self.name}: {self.secret_file}: {error}") from error
        return WebhookSink(self._poster(), key)

    def _alertmanager(self) -> Sink:
        from brokertape.workers.alerts.sinks.alertmanager import API_PATH, AlertmanagerSink

        return AlertmanagerSink(self._poster(API_PATH), timedelta(milliseconds=self.lasts or LASTS_MS))

    def _apprise(self) -> Sink:
        try:
            from brokertape.workers.alerts.sinks.notification import NotificationSink
        except ImportError as error:
            raise SinkError(f"sink {self.name}: needs the extra `notify`: pip install 'brokertape[notify]'") from error
        return NotificationSink(self.url or self._content(self.url_file or ""), self.name)

    def _poster(self, path: str = "") -> "Poster":
        from brokertape.workers.alerts.sinks.posting import Poster

        url = self.url or self._content(self.url_file or "")
        if not url.startswith(_HTTP):
            raise SinkError(f"sink {self.name}: {self.url_file} holds no http:// or https:// URL")
        return Poster(f"{url.rstrip('/')}{path}" if path else url, name=self.name, timeout_s=self.timeout or TIMEOUT_S)

    def _content(self, path: str) -> str:
        try:
            with Path(path).open("rb") as file:
                return file.read(SECRET_MAX_BYTES).decode().strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
            raise SinkError(f"sink {self.name}: {path}: {reason}") from error


CONSOLE = SinkTable(name="console", kind="console")
"""What there is if the file names none."""
