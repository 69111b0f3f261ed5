"""An aioice agent that speaks the JSON lines of `floe agent`.

aioice_agent.py --controlling|--controlled [--bind IP]
                [--turn turn:IP:PORT?transport=udp|tcp --username U --password P --relay-only]
"""

import argparse
import asyncio
import json
import re
import sys

import aioice
import aioice.ice

from json_lines import commands, write


def line(candidate):
    return "candidate:" + candidate.to_sdp()


def arguments():
    parser = argparse.ArgumentParser(allow_abbrev=False)
    role = parser.add_mutually_exclusive_group(required=True)
    role.add_argument("--controlling", action="store_true")
    role.add_argument("--controlled", action="store_true")
    parser.add_argument("--bind", default="127.0.0.1")
    parser.add_argument("--turn", type=re.compile(r"turn:(.+):(\d+)\?transport=(udp|tcp)").fullmatch)
    parser.add_argument("--username")
    parser.add_argument("--password")
    parser.add_argument("--relay-only", action="store_true")
    return parser.parse_args()


def turn_server(options):
    """The TURN server in the words of aioice."""
    if not options.turn:
        return {}
    host, port, transport = options.turn.groups()
    policy = aioice.TransportPolicy.RELAY if options.relay_only else aioice.TransportPolicy.ALL
    return dict(
        turn_server=(host, int(port)),
        turn_transport=transport,
        turn_username=options.username,
        turn_password=options.password,
        transport_policy=policy,
    )


class Agent:
    def __init__(self, options):
        # aioice never offers loopback and has no option for it: put the wanted address in place of its list.
        aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: [options.bind]
        self.connection = aioice.Connection(
            ice_controlling=options.controlling, components=1, **turn_server(options)
        )
        self.credentials = asyncio.Event()

    async def run(self):
        """Gathers, connects and prints what arrives, until cancelled."""
        connection = self.connection
        write(type="credentials", ufrag=connection.local_username, pwd=connection.local_password)
        write(type="state", state="gathering")
        await connection.gather_candidates()
        for candidate in connection.local_candidates:
            write(type="candidate", candidate=line(candidate))
        write(type="end-of-candidates")
        await self.credentials.wait()
        write(type="state", state="checking")
        try:
            await connection.connect()
            # The nominated pair has no public name.
            pair = connection._nominated[1]
            write(type="state", state="connected")
            write(type="selected-pair", local=line(pair.local_candidate), remote=line(pair.remote_candidate))
            while True:
                write(type="data", data=(await connection.recv()).decode())
        except ConnectionError as error:
            print(f"connection lost: {error}", file=sys.stderr)
            write(type="state", state="failed")

    async def obey(self, command):
        """Carries out one command; False ends the program."""
        match command:
            case {"type": "remote-credentials", "ufrag": ufrag, "pwd": pwd}:
                self.connection.remote_username = ufrag
                self.connection.remote_password = pwd
                self.credentials.set()
            case {"type": "remote-candidate", "candidate": candidate}:
                parsed = aioice.Candidate.from_sdp(candidate.removeprefix("candidate:"))
                await self.connection.add_remote_candidate(parsed)
            case {"type": "remote-end-of-candidates"}:
                await self.connection.add_remote_candidate(None)
            case {"type": "send", "data": data}:
                await self.connection.send(data.encode())
            case {"type": "close"}:
                return False
            case _:
                raise ValueError(f"unknown command {command}")
        return True


async def main():
    agent = Agent(arguments())
    running = asyncio.create_task(agent.run())
    async for raw in commands():
        try:
            if not await agent.obey(json.loads(raw)):
                break
        except (ValueError, ConnectionError) as error:
            write(type="error", message=str(error))
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await agent.connection.close()
    write(type="state", state="closed")


asyncio.run(main())
