"""The API over real connections."""

import html
import io
import re

import numpy as np
import pytest
from PIL import Image

from viceversa.inference.translator import Translator
from viceversa.serving.models import load_models


@pytest.fixture
def client(serve_here, translator):
    return serve_here(translator.networks, allow_host=("*",))


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data))).astype(int)


def error(answer) -> str:
    assert answer.headers["content-type"] == "application/json"
    assert set(answer.json()) == {"error"}
    assert set(answer.json()["error"]) == {"code", "message"}
    assert answer.json()["error"]["message"].endswith(".")
    return f"{answer.status_code} {answer.json()['error']['code']}"


@pytest.mark.parametrize("to", [None, "b", "a", "women"])
def test_answer_is_what_the_translator_makes(client, translator, file, to):
    given = file(21, 34)
    query = {} if to is None else {"to": to}
    bare = client.post("/v1/translate", content=given, params=query)
    form = client.post("/v1/translate", files={"file": ("x.png", given)}, data=query)
    expected = np.asarray(translator(Image.open(io.BytesIO(given)), to)).astype(int)
    for answer in (bare, form):
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
        assert pixels(answer.content).shape == (21, 34, 3)
        assert np.abs(pixels(answer.content) - expected).max() <= 1
    other = np.asarray(translator(Image.open(io.BytesIO(given)), "b" if to in ("a", "women") else "a")).astype(int)
    assert np.abs(pixels(bare.content) - other).mean() > 5


@pytest.mark.parametrize(
    ("asked", "media"),
    [("png", "png"), ("jpg", "jpeg"), ("jpeg", "jpeg"), ("webp", "webp"), ("avif", "avif"), ("tif", "tiff")],
)
def test_kind_of_the_answer(client, file, asked, media):
    answer = client.post("/v1/translate", content=file(), params={"format": asked})
    assert answer.headers["content-type"] == f"image/{media}"
    assert Image.open(io.BytesIO(answer.content)).format == media.upper()
    suffix = "jpg" if media == "jpeg" else asked
    assert answer.headers["content-disposition"] == f'inline; filename="translated.{suffix}"'


def test_a_picture_keeps_its_kind_and_others_become_png(client, file):
    for kind, expected in (("JPEG", "image/jpeg"), ("WEBP", "image/webp"), ("BMP", "image/png"), ("GIF", "image/png")):
        assert client.post("/v1/translate", content=file(kind=kind)).headers["content-type"] == expected


def test_depth_and_alpha_are_kept(client):
    deep = np.random.default_rng(0).integers(0, 65536, (16, 16), dtype=np.uint16)
    saved = io.BytesIO()
    Image.fromarray(deep).save(saved, "PNG")
    answer = Image.open(io.BytesIO(client.post("/v1/translate", content=saved.getvalue()).content))
    assert answer.mode == "I;16"
    clear = np.zeros((16, 16, 4), np.uint8)
    clear[4:, :, 3] = 200
    saved = io.BytesIO()
    Image.fromarray(clear).save(saved, "PNG")
    answer = client.post("/v1/translate", content=saved.getvalue())
    assert np.array_equal(pixels(answer.content)[:, :, 3], clear[:, :, 3])


def test_quality_changes_the_size(client, file):
    sizes = [
        len(client.post("/v1/translate", content=file(64, 64), params={"format": "jpg", "quality": q}).content)
        for q in (10, 95)
    ]
    assert 2 * sizes[0] < sizes[1]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"quality": "0"}, "bad_parameter"), ({"quality": "101"}, "bad_parameter"), ({"quality": "x"}, "bad_parameter"),
        ({"format": "exe"}, "bad_parameter"), ({"qality": "5"}, "bad_parameter"),
        ({"to": "dogs"}, "no_such_direction"), ({"to": "\0"}, "no_such_direction"), ({"model": "x"}, "no_such_model"),
    ],
)  # fmt: skip
def test_wrong_parameters_in_query_and_form(client, file, query, code):
    assert error(client.post("/v1/translate", content=file(), params=query)) == f"422 {code}"
    answer = client.post("/v1/translate", files={"file": file()}, data=query)
    assert error(answer) == f"422 {code}"
    assert next(iter(query.values())).strip("\0") in answer.text or next(iter(query)) in answer.text


def test_what_is_no_picture(client, file):
    def said(data: bytes) -> str:
        return error(client.post("/v1/translate", content=data))

    assert said(b"%PDF-1.7 no picture") == "415 no_picture"
    assert said(b"<svg xmlns='http://www.w3.org/2000/svg'/>") == "415 no_picture"
    assert said(b"") == "422 no_file"
    for kind in ("PNG", "JPEG", "WEBP"):
        whole = file(64, 64, kind)
        assert said(whole[: len(whole) // 2]) == "422 damaged_picture"
    assert said(file()[:20]) == "422 damaged_picture"
    wide = io.BytesIO()
    np.save(wide, np.zeros((8, 8, 9), np.uint8))
    assert said(wide.getvalue()) == "422 unfit_picture"


def test_no_answer_tells_of_files_of_the_server(client, file):
    data = file(64, 64)
    for given in (data[:40], data[: len(data) // 2], b"x", b"\x93NUMPY" + data, b"II*\0" + data):
        answer = client.post("/v1/translate", content=given)
        assert 400 <= answer.status_code < 500
        assert str(client.service.folder) not in answer.text
        assert "--" not in answer.text
    assert [path for path in client.service.folder.rglob("*") if path.is_file()] == []


def test_forms_that_are_none(client, file):
    kind = "multipart/form-data; boundary=x"
    for body, headers in (
        (b"nothing", {"content-type": kind}),
        (b"--x\r\n\r\n", {"content-type": kind}),
        (b"--x--\r\n", {"content-type": kind}),
        (b"", {"content-type": "multipart/form-data"}),
        (b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\nhello\r\n--x--\r\n', {"content-type": kind}),
        (b'--x\r\nContent-Disposition: form-data; name="to"\r\n\r\n\xff\xfe\r\n--x--\r\n', {"content-type": kind}),
        (b"--x\r\n\xff: \xff\r\n\r\n--x--", {"content-type": kind + "; charset=nonsense"}),
    ):
        answer = client.post("/v1/translate", content=body, headers=headers)
        assert error(answer).startswith("422"), body
    two = [("file", ("a.png", file())), ("file", ("b.png", file()))]
    assert error(client.post("/v1/translate", files=two)) == "422 damaged_form"


def test_unknown_paths_and_methods(client):
    assert error(client.get("/nothing")) == "404 not_found"
    answer = client.get("/v1/translate")
    assert error(answer) == "405 not_allowed"
    assert answer.headers["allow"] == "POST"


def test_models_are_listed_and_chosen(serve_here, translator, file, held):
    single = Translator({"a2b": held.inner}, domains={"a": "photo", "b": "paint"}, size_px=64)
    client = serve_here(None, models={"swap": translator, "paint": single})
    listed = {model["name"]: model for model in client.get("/v1/models").json()["models"]}
    assert listed["paint"] == {
        "name": "paint", "size_px": 64, "directions": [{"to": "b", "source": "photo", "target": "paint"}]
    }  # fmt: skip
    assert [way["to"] for way in listed["swap"]["directions"]] == ["b", "a"]
    assert error(client.post("/v1/translate", content=file())) == "422 no_model_named"
    answer = client.post("/v1/translate", content=file(), params={"model": "paint"})
    expected = np.asarray(single(Image.open(io.BytesIO(file())))).astype(int)
    assert np.abs(pixels(answer.content) - expected).max() <= 1


def test_names_of_models(folder, tmp_path):
    (one,) = load_models((str(folder),), "cpu", "auto")
    (two,) = load_models((str(folder / "translator"),), "cpu", "auto")
    (three,) = load_models((f"mine={folder}",), "cpu", "auto")
    assert (one.name, two.name, three.name) == ("swap", "swap", "mine")


def test_health_and_metrics(client, file):
    assert client.get("/healthz").json() == {"status": "ok"}
    for _ in range(3):
        client.post("/v1/translate", content=file())
    client.post("/v1/translate", content=b"x")
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    counted = dict(re.findall(r"^(viceversa_\S+) (\S+)$", answer.text, re.MULTILINE))
    assert counted['viceversa_requests_total{route="/v1/translate",status="200"}'] == "3.0"
    assert counted['viceversa_requests_total{route="/v1/translate",status="415"}'] == "1.0"
    assert counted['viceversa_request_seconds_count{route="/v1/translate"}'] == "4.0"
    assert counted['viceversa_batch_pictures_count{model="swap",to="b"}'] == "3.0"
    assert float(counted['viceversa_model_seconds_total{model="swap",to="b"}']) > 0
    assert counted["viceversa_accepted"] == counted["viceversa_queue_depth"] == "0.0"


def test_reference_names_every_parameter_and_loads_nothing(client):
    page = client.get("/docs").text
    schema = client.get("/openapi.json").json()
    for one in schema["paths"]["/v1/translate"]["post"]["parameters"]:
        assert f"<code>{one['name']}</code>" in page
    assert all(path in page for path in schema["paths"])
    assert "<script" not in page
    assert set(re.findall(r"(?:src|href)=\"([^\"]+)", page)) == {"openapi.json", "./"}


def addresses(page: str) -> set[str]:
    """Of the servers that the examples call."""
    examples = html.unescape(" ".join(re.findall("<pre>(.*?)</pre>", page, re.DOTALL)))
    found = re.findall(r"[^\s']*/(?:v1/translate|v1/models|healthz|metrics)\b", examples)
    assert len(found) == 5
    return {re.sub(r"/(v1/\w+|healthz|metrics)$", "", address) for address in found}


def test_examples_call_the_server_where_whoever_asks_has_found_it(client):
    page = client.get("/docs")
    assert addresses(page.text) == {f"http://127.0.0.1:{client.base_url.port}"}
    assert page.headers["cache-control"] == "no-store"
    assert "servers" not in client.get("/openapi.json").json()
    assert addresses(client.get("/docs", headers={"Host": "swap.example:81"}).text) == {"http://swap.example:81"}
    proxied = {"X-Forwarded-Host": "a.example, inner", "X-Forwarded-Proto": "https", "X-Forwarded-Prefix": "/pictures/"}
    assert addresses(client.get("/docs", headers=proxied).text) == {"https://a.example/pictures"}
    assert client.get("/openapi.json", headers=proxied).json()["servers"] == [{"url": "/pictures"}]
    # What is no address is not repeated: the lines are there to be copied into a shell.
    for name, value in (("Host", "x;rm"), ("X-Forwarded-Host", "x$(id)"), ("X-Forwarded-Prefix", "/x|sh"),
                        ("X-Forwarded-Proto", "evil")):  # fmt: skip
        page = client.get("/docs", headers={name: value}).text
        assert addresses(page) == {f"http://127.0.0.1:{client.base_url.port}"}
        assert value not in page


def test_under_a_path_of_a_proxy_whether_it_is_cut_off_or_not(serve_here, translator, file):
    client = serve_here(translator.networks, root_path="/swap")
    address = f"http://127.0.0.1:{client.base_url.port}/swap"
    for path in ("/docs", "/swap/docs"):
        assert addresses(client.get(path).text) == {address}
    assert client.get("/swap/openapi.json").json()["servers"] == [{"url": "/swap"}]
    for path in ("/v1/translate", "/swap/v1/translate"):
        assert client.post(path, content=file()).status_code == 200
    assert client.get("/swapped/docs").status_code == 404


@pytest.mark.parametrize("path", ["swap", "/swap/", "/", "/a b", "/x;y"])
def test_a_path_that_is_none_is_refused(path):
    from viceversa.errors import ConfigError
    from viceversa.serving.config import ServeConfig

    with pytest.raises(ConfigError, match="--root-path must be a path such as /swap"):
        ServeConfig(root_path=path)


def test_a_client_that_goes_away_costs_nothing(client, file):
    import socket

    address = (client.base_url.host, client.base_url.port)
    for _ in range(3):
        with socket.create_connection(address) as connection:
            connection.sendall(b"POST /v1/translate HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nhalf")
    assert client.post("/v1/translate", content=file()).status_code == 200
    for _ in range(200):
        if client.service.accepted == 0:
            break
        client.get("/healthz")
    assert client.service.accepted == 0


@pytest.mark.parametrize(("kind", "pages"), [("TIFF", 1), ("TIFF", 3), ("GIF", 3)])
def test_that_only_the_first_of_several_images_was_translated_is_in_a_header(client, kind, pages):
    saved = io.BytesIO()
    first, *others = [Image.new("RGB", (20, 24), (80 * page, 9, 9)) for page in range(pages)]
    first.save(saved, kind, save_all=True, append_images=others)
    answer = client.post("/v1/translate", content=saved.getvalue())
    assert answer.status_code == 200
    note = answer.headers.get("viceversa-note")
    assert note == (None if pages == 1 else "the file holds several images, and only the first was translated")
