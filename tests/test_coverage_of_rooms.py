from tests.coverage_of_rooms import report, rooms


def test_rooms_below_what_is_enough_are_named():
    files = {path: {"summary": {"num_statements": statements, "covered_lines": run}} for path, statements, run in [
        ("ppcls_ise/errors.py", 10, 10), ("ppcls_ise/images/crops.py", 30, 27), ("ppcls_ise/images/a/b.py", 70, 58),
        ("/far/away/ppcls_ise/cli/main.py", 90, 60), ("ppcls_ise/loss/empty.py", 0, 0)]}
    found = rooms(files)
    assert found == {".": (10, 10), "cli": (90, 60), "images": (100, 85), "loss": (0, 0)}
    assert report(found).splitlines()[1:] == [
        "cli              90  66.7 %", "images          100  85.0 %", "loss              0 100.0 %",
        "all             200  77.5 %", "below 85 %: cli (66.7 %)"]
