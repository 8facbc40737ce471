"""How the peers talk to the driver: one JSON object per line, events on stdout, commands on stdin."""

import asyncio
import json
import os
import sys
import threading
import time

STARTED = time.monotonic()


def emit(event: str, **members):
    """Prints one event; `t` is seconds since the start, octets become hex."""
    record = {'t': round(time.monotonic() - STARTED, 6), 'event': event, **members}
    print(json.dumps(record, default=lambda o: bytes(o).hex() if isinstance(o, (bytes, bytearray)) else str(o)),
          flush=True)


def serve_commands(*owners):
    """Runs the method `cmd_name(**rest)` of one of these for each line `{"cmd": name, ...rest}` and answers with `done`
    or `failed`. The end of stdin ends the process: a peer never outlives its driver."""
    loop = asyncio.get_running_loop()
    handlers = {name[4:]: getattr(owner, name) for owner in owners for name in dir(owner) if name.startswith('cmd_')}

    async def handle(line):
        command = json.loads(line)
        name = command.pop('cmd')
        try:
            result = handlers[name](**command)
            emit('done', cmd=name, result=await result if asyncio.iscoroutine(result) else result)
        except Exception as error:  # the driver decides what a failed command means
            emit('failed', cmd=name, error=repr(error))

    def read():
        for line in sys.stdin:
            if line.strip():
                asyncio.run_coroutine_threadsafe(handle(line), loop)
        os._exit(0)

    threading.Thread(target=read, daemon=True).start()
