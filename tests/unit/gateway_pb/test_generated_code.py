"""The committed protobuf code."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROTO = Path(__file__).parents[3] / "proto"
PACKAGE = Path("brokertape/gateway_pb/v1")
SOURCES = sorted((PROTO / PACKAGE).glob("*.proto"))


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the code was generated anew, with this environment's tools."""
    out = tmp_path_factory.mktemp("generated")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = [sys.executable, "-m", "grpc_tools.protoc", "-I", str(PROTO), f"--python_out={out}"]
    command += [f"--mypy_out=quiet:{out}", *(str(source) for source in SOURCES)]
    subprocess.run(command, check=True, env=os.environ | {"PATH": path}, timeout=60)
    return out / PACKAGE


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: str(source.stem))
@pytest.mark.parametrize("suffix", [".py", ".pyi"])
def test_generating_the_code_anew_changes_nothing(source: Path, suffix: str, generated: Path) -> None:
    """What is committed is what the .proto files and the pinned tools give."""
    name = f"{source.stem}_pb2{suffix}"
    assert (generated / name).read_text() == source.with_name(name).read_text()


def test_no_generated_file_is_left_over() -> None:
    """Every committed module has its .proto file."""
    committed = {path.name.partition("_pb2")[0] for path in (PROTO / PACKAGE).glob("*_pb2.py*")}
    assert committed == {source.stem for source in SOURCES}
