"""What ends for want of memory is told as that, and what ends for another reason is not."""

import pyarrow as pa
import pytest
from py4j.java_gateway import GatewayParameters, JavaGateway
from py4j.protocol import Py4JNetworkError

from jobs.running.errors import explain
from tests.cluster.broker import free_port


def test_python_and_arrow() -> None:
    with pytest.raises(MemoryError) as python:
        bytearray(2**62)
    with pytest.raises(pa.ArrowMemoryError) as arrow:
        pa.allocate_buffer(2**62)
    for failed in (python, arrow):
        assert explain(failed.value).startswith("Python ran out of memory. Give this machine or container more")


def test_java_that_has_ended_and_a_server_that_has() -> None:
    gateway = JavaGateway(gateway_parameters=GatewayParameters(port=free_port()))
    with pytest.raises((Py4JNetworkError, ConnectionRefusedError)) as java:
        gateway.jvm.System.nanoTime()
    assert explain(java.value).startswith("Java has ended, most often because it ran out of memory")
    assert "Java" not in explain(ConnectionRefusedError(111, "Connection refused"))
