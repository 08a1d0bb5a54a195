"""T-LIB: libraries with machine code of their own, as Debian packages them, do their work behind the walls."""
import asyncio
import io

from registry import works


@works("T-LIB-01")
def numpy_multiplies_and_inverts(_context):
    import numpy
    matrix = numpy.random.default_rng(1).random((200, 200)) + 200 * numpy.eye(200)
    assert numpy.allclose(matrix @ numpy.linalg.inv(matrix), numpy.eye(200))
    assert numpy.linalg.svd(matrix)[1].min() > 0
    return f"numpy {numpy.__version__}"


@works("T-LIB-02")
def psycopg2_tries_to_connect(_context):
    import psycopg2
    try:
        psycopg2.connect("host=127.0.0.1 port=1 user=row connect_timeout=2")
        raise AssertionError("connected to port 1")
    except psycopg2.OperationalError as error:
        assert "refused" in str(error).lower(), error
    return f"psycopg2 {psycopg2.__version__.split()[0]}"


@works("T-LIB-03")
def lxml_parses_and_transforms(_context):
    from lxml import etree
    style = etree.XML('<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">'
                      '<xsl:template match="/"><o><xsl:value-of select="//b"/></o></xsl:template></xsl:stylesheet>')
    assert str(etree.XSLT(style)(etree.XML("<a><b>house</b></a>"))).strip().endswith("<o>house</o>")
    return f"lxml {etree.__version__}"


@works("T-LIB-04")
def pillow_draws_and_compresses(_context):
    import PIL
    from PIL import Image, ImageFilter
    picture = Image.new("RGB", (256, 256), (10, 200, 30)).filter(ImageFilter.GaussianBlur(3))
    for kind in ("JPEG", "PNG"):
        file = io.BytesIO()
        picture.save(file, kind)
        assert Image.open(io.BytesIO(file.getvalue())).resize((64, 64)).size == (64, 64)
    return f"Pillow {PIL.__version__}"


@works("T-LIB-05")
def cryptography_signs_and_encrypts(_context):
    import cryptography
    from cryptography.fernet import Fernet
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    key = ec.generate_private_key(ec.SECP256R1())
    key.public_key().verify(key.sign(b"house", ec.ECDSA(hashes.SHA256())), b"house", ec.ECDSA(hashes.SHA256()))
    box = Fernet(Fernet.generate_key())
    assert box.decrypt(box.encrypt(b"house")) == b"house"
    return f"cryptography {cryptography.__version__}"


async def echo_once():
    async def serve(reader, writer):
        writer.write((await reader.readexactly(5)).upper())
        await writer.drain()
        writer.close()
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"house")
        answer = await asyncio.wait_for(reader.readexactly(5), 5)
        writer.close()
    process = await asyncio.create_subprocess_exec("echo", "row", stdout=asyncio.subprocess.PIPE)
    return answer, (await asyncio.wait_for(process.communicate(), 5))[0]


@works("T-LIB-06")
def uvloop_serves_and_starts_processes(_context):
    import uvloop
    loop = uvloop.new_event_loop()
    try:
        assert loop.run_until_complete(echo_once()) == (b"HOUSE", b"row\n")
    finally:
        loop.close()
    return f"uvloop {uvloop.__version__}"
