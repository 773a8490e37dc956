"""Downloads against a server on loopback; no test can reach another address."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import socket
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torchvision

from crowdad.errors import DatasetNotFoundError, DownloadError
from crowdad.evaluation.datasets import download, unpack
from crowdad.evaluation.datasets.download import RemoteFile, fetch, get
from crowdad.evaluation.datasets.ucsd import ARCHIVE_FOLDER
from crowdad.evaluation.datasets.unpack import unpack_tar


class Server:
    """files: path -> body.  cut: paths whose body breaks off half-way.  asked: paths in order of requests."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.cut: set[str] = set()
        self.asked: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append(self.path)
                body = outer.files.get(self.path)
                if body is None:
                    self.send_error(404)
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[: len(body) // 2] if self.path in outer.cut else body)

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.http.server_address[1]}/"

    def offer(self, name: str, body: bytes, algorithm: str = "sha256") -> RemoteFile:
        self.files[f"/{name}"] = body
        digest = hashlib.new(algorithm, body).hexdigest()
        return RemoteFile(name, (self.address + name,), f"{algorithm}:{digest}")


@pytest.fixture(autouse=True)
def only_loopback(monkeypatch) -> None:
    """No proxy is asked, and a connection to anywhere else fails the test."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    connect = socket.socket.connect

    def guarded(self, address):
        assert address[0] in ("127.0.0.1", "::1"), f"a test tried to reach {address}"
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.http.shutdown()
    server.http.server_close()
    thread.join()


@pytest.fixture
def nobody() -> str:
    """An address on loopback where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}/"


def tar_of(members: dict[str, bytes], links: dict[str, str] | None = None) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, body in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(body)
            tar.addfile(info, io.BytesIO(body))
        for name, to in (links or {}).items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, to
            tar.addfile(info)
    return buffer.getvalue()


def ucsd_tar() -> bytes:
    base = f"{ARCHIVE_FOLDER}/UCSDped2"
    names = ["Train/Train001/001.tif", "Test/Test001/001.tif", "Test/._Test001", "Test/Test001/.DS_Store"]
    return tar_of({f"{base}/{name}": name.encode() for name in names})


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def one_line(error: pytest.ExceptionInfo) -> str:
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_good_file(server, tmp_path, capfd):
    file = server.offer("a.bin", b"content")
    assert fetch([file], tmp_path, "again") == [tmp_path / "a.bin"]
    assert (tmp_path / "a.bin").read_bytes() == b"content"
    assert names_in(tmp_path) == ["a.bin"]
    assert capfd.readouterr() == ("", "")


def test_a_valid_file_is_not_fetched_again(server, tmp_path):
    file = server.offer("a.bin", b"content", "md5")
    (tmp_path / "a.bin").write_bytes(b"content")
    fetch([file], tmp_path, "again")
    assert server.asked == []


def test_a_damaged_file_is_replaced(server, tmp_path):
    file = server.offer("a.bin", b"content")
    (tmp_path / "a.bin").write_bytes(b"conte")
    (tmp_path / "a.bin.part").write_bytes(b"left by an interrupted call")
    fetch([file], tmp_path, "again")
    assert (tmp_path / "a.bin").read_bytes() == b"content"
    assert names_in(tmp_path) == ["a.bin"]


def test_another_file_than_expected(server, tmp_path):
    file = server.offer("a.bin", b"content")
    server.files["/a.bin"] = b"something else"
    with pytest.raises(DownloadError, match="another file") as caught:
        fetch([file], tmp_path, "again")
    assert hashlib.sha256(b"something else").hexdigest() in one_line(caught)
    assert file.known_hash in str(caught.value)
    assert names_in(tmp_path) == []


def test_not_found(server, tmp_path):
    file = RemoteFile("a.bin", (server.address + "a.bin",), "sha256:00")
    with pytest.raises(DownloadError, match="404 Not Found"):
        fetch([file], tmp_path, "again")
    assert names_in(tmp_path) == []


def test_broken_off_half_way(server, tmp_path):
    file = server.offer("a.bin", b"content" * 100)
    server.cut.add("/a.bin")
    with pytest.raises(DownloadError, match="broken off"):
        fetch([file], tmp_path, "again")
    assert names_in(tmp_path) == []


def test_nobody_there_says_what_to_do_by_hand(nobody, tmp_path):
    file = RemoteFile("a.bin", (nobody + "a.bin",), "sha256:0123")
    with pytest.raises(DownloadError, match="not reached") as caught:
        fetch([file], tmp_path, "crowdad data get it")
    for expected in (nobody + "a.bin", "sha256:0123", str(tmp_path), "run: crowdad data get it"):
        assert expected in one_line(caught)


def test_a_wrong_file_put_there_by_hand_is_named(nobody, tmp_path):
    (tmp_path / "a.bin").write_bytes(b"half of it")
    with pytest.raises(DownloadError, match=r"a\.bin .*hash"):
        fetch([RemoteFile("a.bin", (nobody + "a.bin",), "sha256:0123")], tmp_path, "again")
    assert (tmp_path / "a.bin").read_bytes() == b"half of it"


def test_the_second_address_is_tried(server, nobody, tmp_path):
    file = server.offer("a.bin", b"content")
    fetch([RemoteFile("a.bin", (nobody + "a.bin", *file.addresses), file.known_hash)], tmp_path, "again")
    assert (tmp_path / "a.bin").read_bytes() == b"content"


def test_only_missing_files_are_asked_for_by_hand(server, nobody, tmp_path):
    files = [server.offer("a.bin", b"a"), *(RemoteFile(n, (nobody + n,), "md5:00") for n in ("b.bin", "c.bin"))]
    with pytest.raises(DownloadError) as caught:
        fetch(files, tmp_path, "again")
    message = one_line(caught).partition("; fetch ")[2]
    assert "b.bin" in message
    assert "c.bin" in message
    assert "a.bin" not in message


def test_unknown_name(tmp_path):
    with pytest.raises(DatasetNotFoundError, match=r"'shanghai'.* ucsd, mnist, usps, avenue, shang"):
        get("shanghai", tmp_path)


def test_ucsd_whole(server, tmp_path, monkeypatch):
    root = tmp_path / "made" / "here"
    monkeypatch.setattr(download, "UCSD_ARCHIVE", server.offer("UCSD_Anomaly_Dataset.tar.gz", ucsd_tar()))
    assert get("ucsd", root) == root
    # The archive is gone, and so is what macOS left in it.
    assert names_in(root) == [ARCHIVE_FOLDER]
    place = root / ARCHIVE_FOLDER / "UCSDped2"
    assert (place / "Train" / "Train001" / "001.tif").read_bytes() == b"Train/Train001/001.tif"
    assert names_in(place / "Test") == ["Test001"]
    assert names_in(place / "Test" / "Test001") == ["001.tif"]
    get("ucsd", root)
    assert len(server.asked) == 1


def test_ucsd_archive_put_there_by_hand(nobody, tmp_path, monkeypatch):
    body = ucsd_tar()
    name = "UCSD_Anomaly_Dataset.tar.gz"
    digest = hashlib.sha256(body).hexdigest()
    monkeypatch.setattr(download, "UCSD_ARCHIVE", RemoteFile(name, (nobody + name,), f"sha256:{digest}"))
    with pytest.raises(DownloadError, match="crowdad data get ucsd --data"):
        get("ucsd", tmp_path)
    assert names_in(tmp_path) == []
    (tmp_path / name).write_bytes(body)
    (tmp_path / f"{ARCHIVE_FOLDER}.part" / "left").mkdir(parents=True)
    get("ucsd", tmp_path)
    assert names_in(tmp_path) == [name, ARCHIVE_FOLDER]


def test_default_root_is_not_named_in_the_command(nobody, tmp_path, monkeypatch):
    monkeypatch.setenv("CROWDAD_DATA", str(tmp_path))
    monkeypatch.setattr(download, "UCSD_ARCHIVE", RemoteFile("u.tar.gz", (nobody + "u.tar.gz",), "sha256:00"))
    with pytest.raises(DownloadError, match=r"crowdad data get ucsd$"):
        get("ucsd")


def test_ucsd_archive_of_something_else(server, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "UCSD_ARCHIVE", server.offer("u.tar.gz", tar_of({"other/file": b"x"})))
    with pytest.raises(DownloadError, match=ARCHIVE_FOLDER):
        get("ucsd", tmp_path)
    assert ARCHIVE_FOLDER not in names_in(tmp_path)


def test_a_folder_in_the_way(tmp_path):
    (tmp_path / ARCHIVE_FOLDER).mkdir()
    with pytest.raises(DownloadError, match="UCSDped1 or UCSDped2"):
        get("ucsd", tmp_path)


def test_a_root_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DownloadError, match="cannot be written"):
        get("ucsd", tmp_path / "file")


@pytest.mark.parametrize("name", ["../evil", "/evil", "a/../../evil"])
def test_members_outside_the_folder_are_refused(server, tmp_path, monkeypatch, name):
    root = tmp_path / "root"
    body = tar_of({f"{ARCHIVE_FOLDER}/UCSDped2/good": b"x", name: b"evil"})
    monkeypatch.setattr(download, "UCSD_ARCHIVE", server.offer("u.tar.gz", body))
    if name == "/evil":
        # The leading slash is cut off, so it lands inside, beside the data set, and is thrown away.
        get("ucsd", root)
    else:
        with pytest.raises(DownloadError, match="unsafe") as caught:
            get("ucsd", root)
        one_line(caught)
        assert names_in(root) == ["u.tar.gz"]
    assert not list(tmp_path.rglob("evil"))


def test_links_are_not_unpacked(tmp_path):
    (tmp_path / "a.tar.gz").write_bytes(tar_of({"a": b"x"}, {"link": "a", "out": "../../etc/passwd"}))
    (tmp_path / "out").mkdir()
    unpack_tar(tmp_path / "a.tar.gz", tmp_path / "out")
    assert names_in(tmp_path / "out") == ["a"]


def test_an_archive_that_grows_too_much(tmp_path):
    # A megabyte of zeros packs to about a kilobyte: a ratio of 1,000.
    (tmp_path / "a.tar.gz").write_bytes(tar_of({"a": bytes(1 << 20)}))
    (tmp_path / "out").mkdir()
    with pytest.raises(DownloadError, match="archive"):
        unpack_tar(tmp_path / "a.tar.gz", tmp_path / "out")
    assert names_in(tmp_path / "out") == []


def test_an_archive_of_too_many_members(tmp_path, monkeypatch):
    monkeypatch.setattr(unpack.Limits, "MEMBERS", 3)
    (tmp_path / "out").mkdir()
    (tmp_path / "a.tar.gz").write_bytes(tar_of({str(n): b"" for n in range(3)}))
    unpack_tar(tmp_path / "a.tar.gz", tmp_path / "out")
    (tmp_path / "a.tar.gz").write_bytes(tar_of({str(n): b"" for n in range(4)}))
    with pytest.raises(DownloadError, match="more than 3 members"):
        unpack_tar(tmp_path / "a.tar.gz", tmp_path / "out")


def test_an_archive_of_too_many_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(unpack.Limits, "BYTES", 9)
    (tmp_path / "out").mkdir()
    (tmp_path / "a.tar.gz").write_bytes(tar_of({"a": bytes(5), "b": bytes(5)}))
    with pytest.raises(DownloadError, match="9 bytes"):
        unpack_tar(tmp_path / "a.tar.gz", tmp_path / "out")


def test_damaged_archives(tmp_path):
    whole = tar_of({"a": np.random.default_rng(0).bytes(20_000)})
    (tmp_path / "out").mkdir()
    # A flipped bit inside a member is for the hash to find.
    for body in (b"", b"no archive", whole[: len(whole) // 2]):
        (tmp_path / "a.tar.gz").write_bytes(body)
        with pytest.raises(DownloadError, match="damaged") as caught:
            unpack_tar(tmp_path / "a.tar.gz", tmp_path / "out")
        one_line(caught)


def test_an_archive_with_an_endless_header(tmp_path):
    archive = tmp_path / "endless.tar.gz"
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.XHDTYPE, 50 * 2**20
    with gzip.open(archive, "wb") as file:
        file.write(header.tobuf(tarfile.USTAR_FORMAT))
        file.write(bytes(header.size))
    with pytest.raises(DownloadError, match="1048576 bytes"):
        unpack.unpack_tar(archive, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["endless.tar.gz"]


def test_python_without_safe_unpacking(tmp_path, monkeypatch):
    monkeypatch.delattr(tarfile, "data_filter")
    with pytest.raises(DownloadError, match=r"Python 3\.11\.4"):
        unpack_tar(tmp_path / "a.tar.gz", tmp_path / "out")


def idx(values: np.ndarray) -> bytes:
    head = bytes([0, 0, 8, values.ndim]) + b"".join(n.to_bytes(4, "big") for n in values.shape)
    return head + values.astype(np.uint8).tobytes()


def offer_mnist(server: Server, monkeypatch) -> None:
    resources = []
    for part, count in (("train", 12), ("t10k", 4)):
        for kind, values in (("images-idx3", np.zeros((count, 28, 28))), ("labels-idx1", np.arange(count) % 10)):
            file = server.offer(f"{part}-{kind}-ubyte.gz", gzip.compress(idx(values)), "md5")
            resources.append((file.name, file.known_hash.partition(":")[2]))
    monkeypatch.setattr(torchvision.datasets.MNIST, "resources", resources)
    monkeypatch.setattr(torchvision.datasets.MNIST, "mirrors", [server.address])


def test_mnist(server, tmp_path, monkeypatch, capfd):
    offer_mnist(server, monkeypatch)
    assert get("mnist", tmp_path) == tmp_path
    assert len(torchvision.datasets.MNIST(str(tmp_path), train=False)) == 4
    get("mnist", tmp_path)
    assert len(server.asked) == 4
    # A damaged file is unpacked again from what was fetched.
    (tmp_path / "MNIST" / "raw" / "t10k-labels-idx1-ubyte").write_bytes(b"")
    get("mnist", tmp_path)
    assert len(server.asked) == 4
    assert len(torchvision.datasets.MNIST(str(tmp_path), train=False)) == 4
    assert not list(tmp_path.rglob("*.part"))
    assert capfd.readouterr() == ("", "")


def test_mnist_offline(nobody, tmp_path, monkeypatch):
    monkeypatch.setattr(torchvision.datasets.MNIST, "mirrors", [nobody + "one/", nobody + "two/"])
    with pytest.raises(DownloadError) as caught:
        get("mnist", tmp_path)
    for expected in (nobody + "one/", nobody + "two/", "t10k-labels-idx1-ubyte.gz", "MNIST/raw", "md5:f68b3c2d"):
        assert expected in one_line(caught)


def test_usps(server, nobody, tmp_path, monkeypatch):
    line = "3 " + " ".join(f"{n}:-1.0" for n in range(1, 257)) + "\n"
    split_list = {}
    for part, name in (("train", "usps.bz2"), ("test", "usps.t.bz2")):
        file = server.offer(name, bz2.compress(line.encode() * 2), "md5")
        split_list[part] = [*file.addresses, file.name, file.known_hash.partition(":")[2]]
    monkeypatch.setattr(torchvision.datasets.USPS, "split_list", split_list)
    get("usps", tmp_path)
    assert names_in(tmp_path) == ["usps.bz2", "usps.t.bz2"]
    # A rebuilt copy of another hash is kept where it reads well.
    (tmp_path / "usps.bz2").write_bytes(bz2.compress(line.encode() * 3))
    get("usps", tmp_path)
    assert len(server.asked) == 2


def test_usps_offline(nobody, tmp_path, monkeypatch):
    split_list = {"train": [nobody + "usps.bz2", "usps.bz2", "ab"], "test": [nobody + "usps.t.bz2", "usps.t.bz2", "cd"]}
    monkeypatch.setattr(torchvision.datasets.USPS, "split_list", split_list)
    with pytest.raises(DownloadError, match=r"md5:ab.*md5:cd.*crowdad data get usps --data"):
        get("usps", tmp_path)


def test_a_file_without_end_fills_no_disk(server, tmp_path):
    file = replace(server.offer("clip.tar.gz", b"x" * 5_000), most_bytes=1_000)
    with pytest.raises(DownloadError) as error:
        fetch([file], tmp_path, "crowdad data get it")
    assert "sends more than 1,000 bytes" in one_line(error)
    assert names_in(tmp_path) == []
