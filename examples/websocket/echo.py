"""A WebSocket echo server with nothing but the standard library: GET /healthz, and /ws (RFC 6455)."""
import asyncio
import base64
import hashlib
import os
import signal
import struct
import sys

GREETING = os.environ.get("GREETING", "hello")
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


async def frame(reader):
    """Reads one frame: its opcode and its unmasked payload."""
    first, second = await reader.readexactly(2)
    size = second & 0x7F
    if size == 126:
        (size,) = struct.unpack(">H", await reader.readexactly(2))
    elif size == 127:
        (size,) = struct.unpack(">Q", await reader.readexactly(8))
    if size > 1 << 20 or not second & 0x80:
        raise ValueError("too large, or not masked")
    mask = await reader.readexactly(4)
    data = await reader.readexactly(size)
    return first & 0x0F, bytes(b ^ mask[i % 4] for i, b in enumerate(data))


def packed(opcode, data):
    size = len(data)
    if size < 126:
        head = struct.pack(">BB", 0x80 | opcode, size)
    elif size < 1 << 16:
        head = struct.pack(">BBH", 0x80 | opcode, 126, size)
    else:
        head = struct.pack(">BBQ", 0x80 | opcode, 127, size)
    return head + data


async def echo(reader, writer):
    writer.write(packed(1, GREETING.encode()))
    while True:
        opcode, data = await frame(reader)
        if opcode == 8:
            writer.write(packed(8, data))
            return
        if opcode in (1, 2):
            writer.write(packed(opcode, data))
        elif opcode == 9:
            writer.write(packed(10, data))
        await writer.drain()


async def serve(reader, writer):
    try:
        while True:
            lines = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
            path = lines[0].split(b" ")[1]
            headers = {k.strip().lower(): v.strip() for k, _, v in (line.partition(b":") for line in lines[1:])}
            if path == b"/ws" and b"sec-websocket-key" in headers:
                accept = base64.b64encode(hashlib.sha1(headers[b"sec-websocket-key"] + GUID).digest())
                writer.write(
                    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
                )
                await echo(reader, writer)
                return
            body = b"ok\n" if path == b"/healthz" else GREETING.encode() + b"\n"
            status = b"200 OK" if path in (b"/", b"/healthz") else b"404 Not Found"
            writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: " + str(len(body)).encode() + b"\r\n\r\n" + body)
            await writer.drain()
            if headers.get(b"connection", b"").lower() == b"close":
                return
    except (asyncio.IncompleteReadError, ConnectionError, ValueError, IndexError):
        pass
    finally:
        writer.close()


async def main():
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]))
    await stop.wait()


asyncio.run(main())
