"""The service as a process: what only a socket can show."""
import re
import socket
import time
import urllib.request

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")
pytestmark = pytest.mark.slow  # starts servers


def talk(port, *parts, pause=0.0, half_close=False):
    """Send the parts, ``pause`` seconds between them, and return (the whole answer, seconds from the last part)."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        for number, part in enumerate(parts):
            try:
                connection.sendall(part)
            except OSError:
                break  # it has hung up
            if number < len(parts) - 1:
                time.sleep(pause)
        started = time.perf_counter()
        if half_close:
            connection.shutdown(socket.SHUT_WR)
        answer = b""
        try:
            while True:
                part = connection.recv(65536)
                if not part:
                    break
                answer += part
        except ConnectionResetError:
            pass
        return answer, time.perf_counter() - started


def alive(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
        return answer.status == 200


HEAD = b"POST /search HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=x\r\n"
BODY = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'
CASES = {
    "a body that never comes": ([HEAD + b"Content-Length: 1000\r\n\r\n"], 408),
    "a body that stops": ([HEAD + b"Content-Length: 1000\r\n\r\n" + BODY], 408),
    "a slow body": ([HEAD + b"Content-Length: 1000\r\n\r\n", *([b"-"] * 40)], 408),
    "a slow chunked body": ([HEAD + b"Transfer-Encoding: chunked\r\n\r\n", *([b"1\r\n-\r\n"] * 40)], 408),
    "a head that never ends": ([HEAD], 408),
    "a slow head": ([HEAD, *([b"X-A: b\r\n"] * 40)], 408),
    "silence": ([b""], 408),
    "a chunked body without end": ([HEAD + b"Transfer-Encoding: chunked\r\n\r\n",
                                    *([b"10000\r\n" + b"-" * 65536 + b"\r\n"] * 60)], 413),
    "a huge length": ([HEAD + b"Content-Length: 99999999999\r\n\r\n"], 413),
    "a length that is no number": ([HEAD + b"Content-Length: ten\r\n\r\n"], 400),
    "a negative length": ([HEAD + b"Content-Length: -5\r\n\r\n"], 400),
    "two lengths": ([HEAD + b"Content-Length: 5\r\nContent-Length: 7\r\n\r\n"], 400),
    "no HTTP": ([b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(99) + b"\r\n\r\n"], 400),
    "a huge header": ([HEAD + b"X: " + b"a" * 200_000 + b"\r\n\r\n"], 400),
    "a header of bytes": ([b"GET /health HTTP/1.1\r\nHost: x\r\nA\x00B: 1\r\n\r\n"], 400),
    "a bad chunk": ([HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"], 400),
}


@pytest.mark.parametrize("case", CASES)
def test_odd_clients_are_answered_within_a_second(server, case):
    parts, status = CASES[case]
    started = time.perf_counter()
    answer, waited = talk(server[0], *parts, pause=0.03 if "slow" in case else 0)
    assert answer.startswith(b"HTTP/1.1 %d " % status), (case, answer[:300])
    assert b'{"error": ' in answer and waited < 1 and time.perf_counter() - started < 2.5
    assert alive(server[0])


def test_cut_connections_harm_nobody(server):
    port, log = server
    for number in range(40):
        connection = socket.create_connection(("127.0.0.1", port))
        connection.sendall((HEAD + b"Content-Length: 1000\r\n\r\n" + BODY)[:10 * (number + 1)])
        if number % 2:  # reset instead of an orderly end
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        connection.close()
    answer, _ = talk(port, HEAD + b"Content-Length: 1000\r\n\r\n" + BODY, half_close=True)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 4")
    assert alive(port)
    assert "Traceback" not in log.read_text()


def test_too_many_connections_are_sent_away_in_json(few_connections):
    open_ones = [socket.create_connection(("127.0.0.1", few_connections[0])) for _ in range(8)]
    time.sleep(0.2)
    try:
        answer, _ = talk(few_connections[0], b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 503 ") and b'{"error": "too many connections' in answer
        assert b"application/json" in answer
    finally:
        for connection in open_ones:
            connection.close()
    time.sleep(0.2)
    assert alive(few_connections[0])


def test_it_listens_on_this_machine_only_and_names_no_server(server):
    with socket.socket() as probe:
        probe.bind(("127.0.0.2", 0))  # another address of this machine
        with pytest.raises(ConnectionRefusedError):
            probe.connect(("127.0.0.2", server[0]))
    answer, _ = talk(server[0], b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200") and not re.search(rb"(?im)^server:", answer)
