"""How Chromium is started: where it is, and the switches for tests."""

import os

PROGRAM = os.environ.get("CHROMIUM", "/usr/bin/chromium")

SWITCHES = [
    # As root, in a container.
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    # With a camera that needs no consent, addresses are not hidden; loopback is never offered without being asked for.
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--allow-loopback-in-peer-connection",
    "--disable-features=WebRtcHideLocalIpsWithMdns",
    # Nothing but what the test asks for.
    "--no-first-run",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-domain-reliability",
    "--disable-sync",
]
