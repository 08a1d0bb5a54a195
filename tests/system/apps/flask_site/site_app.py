"""Flask as a customer would use it; also run by wsgiref, unchanged, to compare."""
import hashlib
import io

from flask import Flask, Response, abort, jsonify, redirect, render_template_string, request, send_file, session, url_for

app = Flask(__name__)
app.secret_key = "only for this test"
PAGE = "<a href=\"{{ url_for('file') }}\">{{ request.path }}</a> {{ name }} Grüße"


@app.get("/")
def index():
    return render_template_string(PAGE, name=request.args.get("name", "nobody"))


@app.get("/where")
def where():
    return jsonify(script=request.script_root, path=request.path, url=request.url, method=request.method, agent=dict(request.args))


@app.post("/form")
def form():
    data = request.files["file"].read()
    return jsonify(name=request.form["name"], size=len(data), sha256=hashlib.sha256(data).hexdigest())


@app.post("/raw")
def raw():
    return jsonify(size=len(request.get_data()), type=request.content_type)


@app.get("/login")
def login():
    session["user"] = "ann"
    response = redirect(url_for("index"))
    response.set_cookie("plain", "1", max_age=60, httponly=True)
    response.delete_cookie("old")
    return response


@app.get("/who")
def who():
    return session.get("user", "a stranger")


@app.get("/stream")
def stream():
    return Response((f"part {number}\n" * 100 for number in range(50)), mimetype="text/plain")


@app.get("/file")
def file():
    return send_file(io.BytesIO(bytes(range(256)) * 500), download_name="bytes.bin", etag="fixed", conditional=True)


@app.get("/source")
def source():
    return send_file(__file__, as_attachment=True, last_modified=1, etag=False)


@app.get("/cached")
def cached():
    response = Response("cached")
    response.set_etag("tag")
    return response.make_conditional(request)


@app.get("/fails")
def fails():
    raise RuntimeError("the view failed")


@app.get("/teapot")
def teapot():
    abort(418)
