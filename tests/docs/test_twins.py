"""The Chinese twin of a page has its headings, commands, figures and links."""
import re

import pytest

from tests.helpers import ROOT

TWINS = sorted(path for path in [*ROOT.glob("*_cn.md"), *ROOT.glob("docs/*_cn.md")])


def skeleton(text):
    blocks = re.findall(r"^```(\w*)\n(.*?)^```", text, re.M | re.S)
    code = [(kind, [re.sub(r"\s*#.*", "", line) for line in block.splitlines()]) for kind, block in blocks]
    prose = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
    return {"levels of headings": [len(marks) for marks in re.findall(r"^(#+) ", prose, re.M)], "code": code,
            "table rows": [len(re.findall(r"\|", line)) for line in prose.splitlines() if line.startswith("|")],
            "figures": sorted(re.findall(r"\d+\.\d+ \(\d+\.\d+\)", prose)),
            "pages": sorted({link.replace("_cn.md", ".md") for link in re.findall(r"\]\(([^)#]+)", prose)})}


@pytest.mark.parametrize("path", TWINS, ids=lambda path: path.name)
def test_twin(path):
    original = path.with_name(path.name.replace("_cn.md", ".md"))
    english, chinese = skeleton(original.read_text()), skeleton(path.read_text())
    for part in english:
        assert chinese[part] == english[part], f"{part} of {path.name} and {original.name} differ"


def test_there_are_twins_of_the_main_pages():
    assert [path.name for path in TWINS] == ["README_cn.md", "ISE_cn.md"]
