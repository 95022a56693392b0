"""Draw the pictures of the documentation: ``python docs/pictures.py``, with the extras report, plot and verify.

The pages of the two reports are photographed where Chromium and its driver are installed, and else left as they are.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import verify
from mlp_ref import MLP, datasets, loss_and_gradient, plots
from verify.diagnosis.mistakes import CATALOGUE, wrong_gradient

HERE = Path(__file__).parent / "pictures"


def main() -> None:
    """Write every picture."""
    HERE.mkdir(exist_ok=True)
    (x, y), test = datasets.load_digits()
    net = MLP([64, 32, 10], seed=0)
    history = net.fit(x, y, epochs=20, learning_rate=1.0, validation=test)
    plots.training(history, names=("training", "test")).savefig(HERE / "training.png", dpi=100)
    plots.evaluation(net, *test).savefig(HERE / "evaluation.png", dpi=80)
    mistake = next(mistake for mistake in CATALOGUE if mistake.name == "bias_none")
    reports = {
        "verified": verify.check(lambda *arrays: loss_and_gradient(*arrays)[1], cases=300),
        "failing": verify.check(wrong_gradient(verify.Spec(), mistake), cases=300),
    }
    reports["verified"].plot().savefig(HERE / "errors.png", dpi=100)
    reports["failing"].findings[0].plot().savefig(HERE / "finding.png", dpi=100)
    photograph({name: report.to_html() for name, report in reports.items()})


def photograph(pages: dict[str, str], width: int = 1200) -> None:
    """Write a picture of the top of each page, where a browser is installed."""
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if browser is None or driver is None:
        print("chromium and chromedriver are not installed: the pictures of the pages stay as they are")
        return
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"):
        options.add_argument(argument)
    chrome = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    screen = {"width": width, "height": 1250, "deviceScaleFactor": 1, "mobile": False}
    chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    with tempfile.TemporaryDirectory() as folder:
        for name, page in pages.items():
            file = Path(folder) / f"{name}.html"
            file.write_text(page, encoding="utf-8")
            chrome.get(file.as_uri())
            chrome.save_screenshot(str(HERE / f"report-{name}.png"))
    chrome.quit()


if __name__ == "__main__":
    main()
