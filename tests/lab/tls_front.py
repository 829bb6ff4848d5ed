"""TLS before a server that speaks none: what comes to a port of loopback goes on to another as it was sealed.

    tls_front.py PORT TO CERTIFICATE KEY

Lives here: the two ends of each connection.
Must not: know what is said.
"""

import asyncio
import contextlib
import ssl
import sys


async def pass_on(source, sink):
    with contextlib.suppress(OSError):
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
    sink.close()


async def main(port, to, certificate, key):
    async def serve(outer, to_outer):
        inner, to_inner = await asyncio.open_connection("127.0.0.1", int(to))
        await asyncio.gather(pass_on(outer, to_inner), pass_on(inner, to_outer))

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = await asyncio.start_server(serve, "127.0.0.1", int(port), ssl=context)
    await server.serve_forever()


asyncio.run(main(*sys.argv[1:]))
