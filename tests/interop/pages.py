"""Two pages of `floe serve` in headless Chromium call each other.

pages.py SCENARIO URL DIRECTORY

URL is that of the server's page; pictures of the pages go into the directory. The exit status tells how it went.
"""

import asyncio
import pathlib
import sys

from playwright.async_api import async_playwright

from chromium import PROGRAM, SWITCHES

PATIENCE = 30_000
# Frames that were decoded of the other side's picture since the page asked first.
COUNT_FRAMES = """() => {
  const video = document.getElementById("theirs");
  globalThis.frames = 0;
  const count = () => { globalThis.frames += 1; video.requestVideoFrameCallback(count); };
  video.requestVideoFrameCallback(count);
}"""


class Page:
    def __init__(self, page, name):
        self.page, self.name = page, name
        self.errors = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda message: message.type == "error" and self.errors.append(message.text))
        page.set_default_timeout(PATIENCE)

    async def enter(self, url, media=True):
        await self.page.goto(url)
        await self.page.fill("#name", self.name)
        if not media:
            await self.page.uncheck("#with-media")
        await self.page.click("#entrance button")

    async def wait(self, expression, argument=None):
        try:
            await self.page.wait_for_function(expression, arg=argument, timeout=PATIENCE)
        except Exception as error:
            raise AssertionError(f"{self.name}: {expression} {argument}") from error

    async def text(self, selector):
        return await self.page.inner_text(selector)

    async def status(self, text):
        await self.wait("text => document.getElementById('status').textContent.includes(text)", text)

    async def output(self, name, *values):
        await self.wait("([id, values]) => values.includes(document.getElementById(id).value)", [name, list(values)])

    async def sees_video(self, frames=10):
        await self.page.evaluate(COUNT_FRAMES)
        await self.wait("frames => globalThis.frames >= frames", frames)

    async def selected(self, *words):
        """The selected pair has these words."""
        look = """words => [...document.querySelectorAll('#pairs tr.selected')].some(
            row => words.every(word => row.textContent.includes(word)))"""
        await self.wait(look, list(words))

    async def states(self):
        return await self.page.eval_on_selector_all("#states li span", "all => all.map(one => one.textContent)")


async def connected(*pages):
    for page in pages:
        await page.output("connection-state", "connected")
        await page.output("ice-state", "connected", "completed")


async def a_call(ann, bob, url, directory):
    await ann.enter(f"{url}call")
    await ann.status("Waiting for somebody")
    await bob.enter(f"{url}call")
    await connected(ann, bob)
    for page in (ann, bob):
        await page.sees_video(30)
        await page.selected("host")
        states = await page.states()
        wanted = ["ICE: new", "ICE: checking", "ICE: connected", "gathering: gathering", "connection: connected"]
        places = [states.index(state) for state in wanted[:3]]
        assert places == sorted(places) and all(state in states for state in wanted), states
        assert "Direct: host" in await page.text("#caption")
    await ann.page.fill("#text", "Can you hear me?")
    await ann.page.press("#text", "Enter")
    await bob.wait("() => document.getElementById('lines').textContent.includes('Can you hear me?')")
    await bob.page.fill("#text", "Loud and clear.")
    await bob.page.press("#text", "Enter")
    content = bytes(range(256)) * 4096
    await ann.page.set_input_files("#file", {"name": "a.bin", "mimeType": "application/x", "buffer": content})
    await bob.wait("() => document.querySelector('#lines a')?.download === 'a.bin'")
    async with bob.page.expect_download() as download:
        await bob.page.click("#lines a")
    path = await (await download.value).path()
    assert pathlib.Path(path).read_bytes() == content
    await ann.wait("() => document.querySelector('#lines li[data-state=there]') !== null")
    await shots(ann, directory, "call")


async def shots(page, directory, name):
    await page.page.set_viewport_size({"width": 1180, "height": 1040})
    await page.page.screenshot(path=f"{directory}/{name}.jpg", type="jpeg", quality=70)
    await page.page.emulate_media(color_scheme="dark")
    await page.page.set_viewport_size({"width": 390, "height": 844})
    await page.page.screenshot(path=f"{directory}/{name}-phone.jpg", type="jpeg", quality=70)
    await page.page.emulate_media(color_scheme="light")


async def relayed(ann, bob, url, directory):
    for page in (ann, bob):
        await page.page.goto(f"{url}relay")
        await page.page.evaluate("document.getElementById('relay-only').checked = true")
        await page.page.fill("#name", page.name)
        await page.page.click("#entrance button")
    await connected(ann, bob)
    for page in (ann, bob):
        await page.sees_video()
        # relay and relay
        await page.wait(r"""() => /^selected\s*relay .*relay /.test(
            document.querySelector('#pairs tr.selected')?.textContent ?? '')""")
        assert "Over a relay: relay" in await page.text("#caption")
    await shots(ann, directory, "relay")


async def again(ann, bob, url, directory):
    await ann.enter(f"{url}again")
    await bob.enter(f"{url}again")
    await connected(ann, bob)
    await bob.page.click("#hang-up")
    await ann.status("The call is over.")
    await ann.wait("() => !document.getElementById('dial').disabled")
    await ann.page.click("#dial")
    await connected(ann, bob)
    for page in (ann, bob):
        await page.sees_video()


async def glare(ann, bob, url, directory):
    await ann.enter(f"{url}glare")
    await bob.enter(f"{url}glare")
    await connected(ann, bob)
    await bob.page.click("#hang-up")
    await ann.status("The call is over.")
    # Both call at the same time. Where one call arrives before the other is begun there is nothing to press any more.
    for page in (ann, bob):
        await page.wait("() => !document.getElementById('dial').disabled")
    press = "() => document.getElementById('dial').click()"
    await asyncio.gather(*(page.page.evaluate(press) for page in (ann, bob)))
    await connected(ann, bob)
    for page in (ann, bob):
        await page.sees_video()


async def refused(ann, bob, url, directory):
    # The browser refuses both as a person would.
    await ann.page.add_init_script("""navigator.mediaDevices.getUserMedia =
        () => Promise.reject(new DOMException("Permission denied", "NotAllowedError"));""")
    await bob.page.add_init_script("""navigator.mediaDevices.getUserMedia =
        () => Promise.reject(new DOMException("Requested device not found", "NotFoundError"));""")
    await ann.enter(f"{url}refused")
    await bob.enter(f"{url}refused")
    await connected(ann, bob)
    assert "were refused" in await ann.text("#notice"), await ann.text("#notice")
    assert "no camera" in await bob.text("#notice"), await bob.text("#notice")
    assert "data only" in await ann.text("#notice")
    for page in (ann, bob):
        await page.wait("() => document.getElementById('channel-state').textContent.startsWith('open')")
    await ann.page.fill("#text", "Only words.")
    await ann.page.press("#text", "Enter")
    await bob.wait("() => document.getElementById('lines').textContent.includes('Only words.')")
    await shots(ann, directory, "refused")


async def requests(ann, bob, url, directory):
    # A network in which WebSockets do not open.
    await ann.page.add_init_script("""globalThis.WebSocket = class {
        static OPEN = 1;
        constructor() { queueMicrotask(() => this.onclose({ code: 1006 })); }
        close() {}
    };""")
    await ann.enter(f"{url}requests")
    await ann.output("server-state", "HTTP")
    await bob.enter(f"{url}requests")
    await connected(ann, bob)
    for page in (ann, bob):
        await page.sees_video()
    await ann.page.click("#hang-up")
    await bob.status("The call is over.")


async def reload(ann, bob, url, directory):
    await ann.enter(f"{url}reload")
    await bob.enter(f"{url}reload")
    await connected(ann, bob)
    for page in (bob, ann):
        await page.page.reload()
        await page.output("connection-state", "connected")
        for one in (ann, bob):
            await one.sees_video()


async def restart(ann, bob, url, directory):
    await ann.enter(f"{url}restart")
    await bob.enter(f"{url}restart")
    await connected(ann, bob)
    for page in (ann, bob):
        await page.sees_video()
    # Each picture's last frame is watched: none may stay away for a second.
    watch = """() => {
      const video = document.getElementById("theirs");
      globalThis.longest = 0;
      let last = performance.now();
      const frame = () => {
        globalThis.longest = Math.max(globalThis.longest, performance.now() - last);
        last = performance.now();
        video.requestVideoFrameCallback(frame);
      };
      video.requestVideoFrameCallback(frame);
    }"""
    for page in (ann, bob):
        await page.page.evaluate(watch)
    for page in (ann, bob):
        before = await page.text("#candidate-count")
        await page.page.click("#restart")
        await page.wait("before => document.getElementById('candidate-count').textContent !== before", before)
        await page.wait("() => document.getElementById('signaling-state').value === 'stable'")
        for one in (ann, bob):
            await one.sees_video(15)
            await one.output("connection-state", "connected")
    for page in (ann, bob):
        longest = await page.page.evaluate("globalThis.longest")
        assert longest < 3000, f"{page.name} saw no frame for {longest} ms"
        assert not any("disconnected" in state or "failed" in state for state in await page.states())


async def main(scenario, url, directory):
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=PROGRAM, args=SWITCHES)
        pages = []
        for name in ("Ann", "Bob"):
            context = await browser.new_context(permissions=["camera", "microphone"])
            pages.append(Page(await context.new_page(), name))
        try:
            await globals()[scenario](*pages, url, directory)
        except Exception:
            for page in pages:
                print(page.name, page.errors, await page.states(), await page.text("#status"), file=sys.stderr)
            raise
        for page in pages:
            # Refused requests are told to the console by the browser.
            assert not page.errors, f"{page.name}: {page.errors}"
        await browser.close()


asyncio.run(main(*sys.argv[1:]))
