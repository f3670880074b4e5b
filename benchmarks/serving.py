"""The search service under load, on this machine: clients that send crops without a pause.

python benchmarks/serving.py --pid PID --images DIR [--port 8000] [--clients 32] [--seconds 60]

PID is that of deploy/serving/serve.py; its memory is looked at once a second. A client waits for its answer before it
sends the next crop, as a person would."""
import argparse
import http.client
import os
import threading
import time


def crops(folder, limit=50):
    """Bodies of multipart uploads of the first images in a folder."""
    bodies = []
    for name in sorted(os.listdir(folder))[:limit]:
        with open(os.path.join(folder, name), "rb") as file:
            bodies.append(b'--x\r\nContent-Disposition: form-data; name="image"; filename="crop"\r\n\r\n'
                          + file.read() + b"\r\n--x--\r\n")
    return bodies


def client(port, bodies, start, end, results):
    connection, turn = http.client.HTTPConnection("127.0.0.1", port, timeout=30), start
    while time.perf_counter() < end:
        begun = time.perf_counter()
        try:
            connection.request("POST", "/search", bodies[turn % len(bodies)],
                               {"Content-Type": "multipart/form-data; boundary=x"})
            answer = connection.getresponse()
            status = answer.status if b'"similarity"' in answer.read() else f"{answer.status} without matches"
        except (OSError, http.client.HTTPException) as error:
            status = type(error).__name__
            connection.close()
        results.append((status, time.perf_counter() - begun))
        turn += 1
    connection.close()


def memory(pid):
    """Resident MB of a process."""
    with open(f"/proc/{pid}/status", encoding="ascii") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pid", type=int, required=True)
    parser.add_argument("--images", required=True)
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=60)
    arguments = parser.parse_args()
    bodies, results = crops(arguments.images), []
    end = time.perf_counter() + arguments.seconds
    threads = [threading.Thread(target=client, args=(arguments.port, bodies, number, end, results))
               for number in range(arguments.clients)]
    for thread in threads:
        thread.start()
    megabytes = []
    while time.perf_counter() < end:
        megabytes.append(memory(arguments.pid))
        time.sleep(1)
    for thread in threads:
        thread.join()
    times = sorted(seconds for status, seconds in results if status == 200)
    errors = [status for status, _ in results if status != 200]
    print(f"{arguments.clients} clients, {arguments.seconds:.0f} s: {len(times)} answers, "
          f"{len(times) / arguments.seconds:.0f}/s, {len(errors)} errors {sorted(set(map(str, errors)))}; "
          f"p50 {1000 * times[len(times) // 2]:.0f} ms, p99 {1000 * times[int(len(times) * 0.99)]:.0f} ms, slowest "
          f"{1000 * times[-1]:.0f} ms; memory {megabytes[0]:.0f} MB at the start, "
          f"{megabytes[min(10, len(megabytes) - 1)]:.0f} after 10 s, {megabytes[-1]:.0f} at the end")


if __name__ == "__main__":
    main()
