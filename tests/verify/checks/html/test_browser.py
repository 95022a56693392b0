"""The page in a browser: no error, nothing cut off, nothing loaded, nothing run; and accessible.

Needs Chromium and its driver (``apt-get install chromium chromium-driver``), which are never downloaded here; the
check of accessibility needs axe as well (``npm install --no-save axe-core`` in the project's folder).
"""

import dataclasses
import shutil
from pathlib import Path

import pytest

import verify
from verify.diagnosis.mistakes import CATALOGUE, wrong_gradient
from verify.subject.target import Target

webdriver = pytest.importorskip("selenium.webdriver", reason="a browser is driven by selenium")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRIVER = shutil.which("chromedriver")
if CHROMIUM is None or DRIVER is None:
    pytest.skip("Chromium and its driver are not installed", allow_module_level=True)

AXE = Path(__file__).parents[4] / "node_modules" / "axe-core" / "axe.min.js"
HOSTILE = "<script>window.ran = true</script><img src=x onerror='window.ran = true'>"
WIDTHS = (400, 800, 1600)


def failing(params, x, y):
    raise ValueError(HOSTILE)


def hostile():
    report = verify.check(Target(failing, name=HOSTILE), cases=5, diagnose=False)
    return dataclasses.replace(report, notes=(HOSTILE,), spec=HOSTILE)


def with_mistake(name):
    mistake = next(mistake for mistake in CATALOGUE if mistake.name == name)
    return verify.check(wrong_gradient(verify.Spec(), mistake), cases=40, xla=0, certified=0)


MADE = {
    "verified": lambda: verify.check(wrong_gradient(verify.Spec()), cases=60, xla=1, certified=1),
    "wrong": lambda: with_mistake("softmax_diagonal"),
    "many findings": lambda: with_mistake("accumulated"),
    "hostile": hostile,
}


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    for name, make in MADE.items():
        (folder / f"{name}.html").write_text(make().to_html(), encoding="utf-8")
    return {name: (folder / f"{name}.html").as_uri() for name in MADE}


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    log = tmp_path_factory.mktemp("log") / "driver"
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER, log_output=str(log)))
    yield driver
    driver.quit()


def opened(browser, page, width=800, scheme="light"):
    screen = {"width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    browser.get(page)
    return browser


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", list(MADE))
def test_the_page_fits_and_says_nothing_on_the_console(browser, pages, name, width):
    page = opened(browser, pages[name], width)
    assert page.get_log("browser") == []
    assert page.execute_script("return document.documentElement.scrollWidth") <= width
    assert page.execute_script("return performance.getEntriesByType('resource').length") == 0
    unseen = page.execute_script(
        "return [...document.querySelectorAll('h1, h2, h3, svg')].filter(e => !e.closest('details')"
        " && (e.getBoundingClientRect().width < 2 || e.getBoundingClientRect().height < 2)).map(e => e.outerHTML)"
    )
    assert unseen == []


# Text that lies outside its drawing, or two labels of one drawing that lie on each other.
CUT = """
const cut = [];
for (const svg of document.querySelectorAll('svg')) {
  const whole = svg.getBoundingClientRect();
  const texts = [...svg.querySelectorAll('text')].map(t => [t, t.getBoundingClientRect()]);
  texts.forEach(([text, box], i) => {
    if (box.left < whole.left - 1 || box.right > whole.right + 1 ||
        box.top < whole.top - 1 || box.bottom > whole.bottom + 1) cut.push('cut: ' + text.textContent);
    for (const [other, there] of texts.slice(i + 1))
      if (box.left < there.right - 1 && there.left < box.right - 1 &&
          box.top < there.bottom - 4 && there.top < box.bottom - 4)
        cut.push(text.textContent + ' on ' + other.textContent);
  });
}
return cut;
"""


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", list(MADE))
def test_no_label_is_cut_off_or_covered(browser, pages, name, width):
    assert opened(browser, pages[name], width).execute_script(CUT) == []


def test_hostile_content_is_shown_and_not_run(browser, pages):
    page = opened(browser, pages["hostile"])
    assert page.execute_script("return window.ran") is None
    assert page.execute_script("return document.querySelectorAll('script, img').length") == 0
    assert (
        page.execute_script("return document.body.innerText").count("<script>window.ran = true</script>") >= 3
    )


def test_dark_and_light_are_different(browser, pages):
    colour = "return getComputedStyle(document.body).backgroundColor"
    light, dark = (
        opened(browser, pages["verified"], scheme=scheme).execute_script(colour)
        for scheme in ("light", "dark")
    )
    assert light != dark


def test_it_prints(browser, pages):
    made = opened(browser, pages["wrong"]).execute_cdp_cmd("Page.printToPDF", {"printBackground": True})
    assert len(made["data"]) > 10_000


@pytest.mark.skipif(not AXE.exists(), reason="axe is not installed: npm install --no-save axe-core")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", list(MADE))
def test_an_accessibility_checker_finds_nothing(browser, pages, name, scheme):
    page = opened(browser, pages[name], scheme=scheme)
    page.execute_script("document.querySelectorAll('details').forEach(e => e.open = true)")
    page.execute_script(AXE.read_text(encoding="utf-8"))
    found = page.execute_async_script("axe.run().then(arguments[0])")
    assert [(v["id"], v["impact"], v["nodes"][0]["html"]) for v in found["violations"]] == []
    assert len(found["passes"]) > 10
