"""Files that several visitors are served at a time."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
from builders import drawn_face

from kp.data import read_image
from kp.ui.widgets.served_files import save_served

VISITORS, ANSWERS = 20, 200


def test_equal_content_is_one_file_written_once(tmp_path: Path) -> None:
    first = Path(save_served(b"picture", "a.png", str(tmp_path)))
    os.utime(first, (1, 1))
    again = Path(save_served(b"picture", "a.png", str(tmp_path)))
    assert again == first and first.name == "a.png" and first.read_bytes() == b"picture"
    assert first.stat().st_mtime > 1  # it is as old as its last use, since gradio deletes old ones
    assert save_served(b"another", "a.png", str(tmp_path)) != str(first)
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 2


def test_nobody_ever_reads_a_part(tmp_path: Path) -> None:
    content, done, read = os.urandom(2_000_000), threading.Event(), []

    def look() -> None:
        while not done.is_set():
            read.extend(len(path.read_bytes()) for path in tmp_path.rglob("large.png"))

    reader = threading.Thread(target=look)
    reader.start()
    with ThreadPoolExecutor(8) as pool:
        paths = list(pool.map(lambda _: save_served(content, "large.png", str(tmp_path)), range(40)))
    done.set()
    reader.join()
    assert len(set(paths)) == 1 and set(read) <= {len(content)}


def test_twenty_visitors_with_the_same_photo_all_get_their_answer(app_url: str, tmp_path: Path) -> None:
    from gradio_client import Client, handle_file

    photo = tmp_path / "photo.png"
    cv2.imwrite(str(photo), drawn_face(3)[0])
    clients = [
        Client(app_url, verbose=False, download_files=tmp_path / f"visitor-{number}") for number in range(VISITORS)
    ]

    def answers(client: Client) -> list[tuple[tuple[int, ...], int]]:
        given = [
            client.predict(handle_file(photo), detector="whole-image", api_name="/predict")
            for _ in range(ANSWERS // VISITORS)
        ]
        return [(read_image(picture).shape, len(faces)) for picture, faces in given]

    with ThreadPoolExecutor(VISITORS) as pool:
        found = [answer for several in pool.map(answers, clients) for answer in several]
    assert len(found) == ANSWERS and set(found) == {((549, 512, 3), 1)}  # the picture is enlarged for its marks
