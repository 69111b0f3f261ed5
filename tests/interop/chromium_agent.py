"""The RTCPeerConnection of Chromium as an agent that speaks the JSON lines of `floe agent`, without data.

chromium_agent.py --controlling|--controlled [--bind IP] [--stun HOST:PORT] [--turn URI --username U --password P] [--relay-only]

Only ICE is of interest: the peer's descriptions are made up (chromium_agent.js), with a DTLS client that never says anything.
"""

import argparse
import asyncio
import json
import pathlib
import sys

from playwright.async_api import async_playwright

from chromium import PROGRAM, SWITCHES
from json_lines import commands, write

SCRIPT = pathlib.Path(__file__).with_suffix(".js")
# A secure origin, which getUserMedia wants; its page is answered here.
ORIGIN = "https://peer.test/"


def arguments():
    parser = argparse.ArgumentParser(allow_abbrev=False)
    role = parser.add_mutually_exclusive_group(required=True)
    role.add_argument("--controlling", action="store_true")
    role.add_argument("--controlled", action="store_true")
    # It uses all addresses that there are.
    parser.add_argument("--bind")
    parser.add_argument("--stun")
    parser.add_argument("--turn")
    parser.add_argument("--username")
    parser.add_argument("--password")
    parser.add_argument("--relay-only", action="store_true")
    return parser.parse_args()


def settings(options):
    servers = []
    if options.stun:
        servers.append({"urls": f"stun:{options.stun}"})
    if options.turn:
        servers.append({"urls": options.turn, "username": options.username, "credential": options.password})
    policy = "relay" if options.relay_only else "all"
    configuration = {"iceServers": servers, "iceTransportPolicy": policy, "bundlePolicy": "max-bundle"}
    return {"configuration": configuration, "offers": options.controlling}


async def open_page(playwright):
    browser = await playwright.chromium.launch(executable_path=PROGRAM, args=SWITCHES)
    context = await browser.new_context(permissions=["camera", "microphone"])
    page = await context.new_page()
    page.on("console", lambda message: print(f"console: {message.text}", file=sys.stderr))
    page.on("pageerror", lambda error: print(f"page: {error}", file=sys.stderr))

    async def answer(route):
        await route.fulfill(content_type="text/html", body="<!doctype html><title>ICE</title>")

    await page.route("**/*", answer)
    await page.expose_function("say", lambda message: write(**message))
    await page.goto(ORIGIN)
    await page.add_script_tag(path=SCRIPT)
    return browser, page


async def main():
    options = arguments()
    async with async_playwright() as playwright:
        browser, page = await open_page(playwright)
        await page.evaluate("settings => start(settings)", settings(options))
        async for raw in commands():
            command = json.loads(raw)
            if command["type"] == "close":
                break
            await page.evaluate("command => obey(command)", command)
        await page.evaluate("() => end()")
        await browser.close()
    write(type="state", state="closed")


asyncio.run(main())
