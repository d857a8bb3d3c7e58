"""One `[[sink]]` of the file of rules: where alerts go, as it is written, and opened."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from brokertape.workers.alerts.errors import SinkError
from brokertape.workers.alerts.sinks.console import ConsoleSink
from brokertape.workers.alerts.sinks.log_file import LogFileSink
from brokertape.workers.alerts.sinks.message import Sink
from brokertape.workers.alerts.sinks.signing import secret_bytes

SECRET_MAX_BYTES = 4096
PER_MINUTE = 30
MOST_PER_MINUTE = 100_000

Kind = Literal["console", "file", "webhook"]

_NEEDS: dict[Kind, frozenset[str]] = {
    "console": frozenset(),
    "file": frozenset({"path"}),
    "webhook": frozenset({"url", "url_file"}),
}
_MAY: dict[Kind, frozenset[str]] = {
    "console": frozenset(),
    "file": frozenset({"path"}),
    "webhook": frozenset({"url", "url_file", "secret_file", "timeout"}),
}


class SinkTable(BaseModel):
    """A sink. `url_file` and `secret_file` are for what nobody should read in the file of rules."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")]
    kind: Kind
    path: str | None = None
    url: str | None = Field(None, pattern=r"^https?://[^\s]+$", repr=False)
    url_file: str | None = None
    secret_file: str | None = None
    timeout: Annotated[float, Field(gt=0, le=60)] | None = None
    per_minute: Annotated[int, Field(ge=1, le=MOST_PER_MINUTE)] | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        given = {name for name in _MAY["webhook"] | _MAY["file"] if getattr(self, name) is not None}
        if alien := given - _MAY[self.kind]:
            raise ValueError(f"{min(alien)} does not go with kind = {self.kind!r}")
        needed = _NEEDS[self.kind]
        if needed and len(given & needed) != 1:
            raise ValueError(f"kind = {self.kind!r} needs {' or '.join(sorted(needed))}")
        return self

    @property
    def limit(self) -> int:
        """Messages in any minute. What nobody is woken by has no limit unless it is given one."""
        return self.per_minute or (PER_MINUTE if self.kind == "webhook" else MOST_PER_MINUTE)

    def open(self) -> Sink:
        """The sink at work.

        Raises:
            SinkError: A file it names cannot be read, or holds no secret.
        """
        match self.kind:
            case "console":
                return ConsoleSink()
            case "file":
                return LogFileSink(Path(self.path or ""))
            case "webhook":
                return self._webhook()

    def _webhook(self) -> Sink:
        from brokertape.workers.alerts.sinks.webhook import WebhookSink

        url = self.url or self._content(self.url_file or "")
        if not url.startswith(("http://", "https://")):
            raise SinkError(f"sink {self.name}: {self.url_file} holds no http:// or https:// URL")
        key = None
        if self.secret_file is not None:
            try:
                key = secret_bytes(self._content(self.secret_file))
            except ValueError as error:
                raise SinkError(f"sink {self.name}: {self.secret_file}: {error}") from error
        return WebhookSink(url, name=self.name, key=key, timeout_s=self.timeout or 10.0)

    def _content(self, path: str) -> str:
        try:
            with Path(path).open("rb") as file:
                return file.read(SECRET_MAX_BYTES).decode().strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
            raise SinkError(f"sink {self.name}: {path}: {reason}") from error


CONSOLE = SinkTable(name="console", kind="console")
"""What there is if the file names none."""
