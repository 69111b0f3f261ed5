"""The JSON lines of `floe agent`, on the standard input and output."""

import asyncio
import json
import sys


def write(**message):
    print(json.dumps(message, ensure_ascii=False), flush=True)


async def commands():
    """Each line of the input, as it was read."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while raw := await reader.readline():
        yield raw
