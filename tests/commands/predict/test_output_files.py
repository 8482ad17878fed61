"""`python -m kp predict --out`: what is not ours stays, what is ours is replaced and named, names never collide."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from builders import drawn_face

from kp import Box
from kp.__main__ import main
from kp.detectors.base import BoxMap, Detection, Detector
from kp.files import LOG_NAME
from kp.formats.pts import read_pts
from kp.formats.record import read_faces

pytestmark = pytest.mark.slow

Run = Callable[..., tuple[int, str, str]]
MINE = "made by hand"


class ByWidth(Detector):
    """As many faces as the photo is wide, in hundreds of pixels beyond the first."""

    box_map = BoxMap(0.0, 0.0, 1.0)
    default_threshold, threshold_range, threshold_help = 0.5, (0.0, 1.0), "not used"

    def detect(self, image: np.ndarray) -> list[Detection]:
        return [
            Detection(Box(10 + 100 * number, 20, 90 + 100 * number, 100), 0.9 - 0.1 * number)
            for number in range(image.shape[1] // 100 - 1)
        ]


@pytest.fixture
def run(model: str, capsys: pytest.CaptureFixture, monkeypatch) -> Run:
    monkeypatch.setattr("kp.prediction.predictor.TILTED", 360.0)  # this network sees eyes anywhere
    monkeypatch.setattr("kp.prediction.predictor.create_detector", lambda *_, **__: ByWidth())

    def command(*arguments: object) -> tuple[int, str, str]:
        code = main(["predict", *map(str, arguments), "--model", model])
        return code, *capsys.readouterr()

    return command


def photo(path: Path, faces: int, *, seed: int = 0) -> Path:
    """A picture in which that many faces are found."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = np.full((150, 100 * (faces + 1), 3), 90 + seed, np.uint8)
    image[:, :100] = drawn_face(seed)[0][:, :100]
    assert cv2.imwrite(str(path), image)
    return path


def files(folder: Path) -> dict[str, bytes]:
    """Names and contents, but for what is hidden."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name[0] != "."
    }


def test_labels_beside_a_photo_without_a_face_stay(run: Run, tmp_path: Path) -> None:
    z = photo(tmp_path / "z.jpg", 0)
    (tmp_path / "z.pts").write_text(MINE)
    (tmp_path / "z.face-2.pts").write_text(MINE)
    for _ in range(2):
        code, _, err = run(z, "--out", tmp_path, "--formats", "pts,csv")
        assert (code, err) == (0, "")
    assert files(tmp_path)["z.pts"] == files(tmp_path)["z.face-2.pts"] == MINE.encode()
    assert set(files(tmp_path)) == {"z.jpg", "z.pts", "z.face-2.pts", "z.csv"}


@pytest.mark.parametrize(
    "name",
    [
        "x.pts",
        "x.png",
        "x.csv",
        "x.json",
        "x.openface.csv",
        "x.face-2.pts",
        "x.aligned.png",
        "x.face-2.aligned.png",
        "x.aligned.json",
        "keypoints.coco.json",
    ],
)
@pytest.mark.parametrize("program", [True, False])
def test_a_file_of_somebody_else_stays(run: Run, tmp_path: Path, name: str, program: bool) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / name).write_text(MINE)
    options = [
        photo(tmp_path / "x.jpg", 2),
        photo(tmp_path / "y.jpg", 1),
        "--out",
        out,
        "--align",
        "32",
        "--formats",
        "png,csv,json,openface,pts,coco",
    ]
    code, printed, err = run(*options, *(["--json"] if program else []))
    assert code == 1 and (out / name).read_text() == MINE
    assert len(files(out)) == 9 + 7 + 1  # all others are there
    assert f"{out / name} is left" in printed + err and "--overwrite" in printed + err
    if program and name[0] == "x":
        first, second = json.loads(printed)
        assert f"{out / name} is left" in first["error"] and len(first["faces"]) == 2 and second["error"] is None
    code, printed, err = run(*options, "--overwrite")
    assert (code, err) == (0, "") and (out / name).read_text(errors="replace") != MINE
    assert str(out / name) in " ".join(line for line in printed.splitlines() if line.startswith("  replaced"))


def test_what_was_changed_since_is_not_ours_any_more(run: Run, tmp_path: Path) -> None:
    x, out = photo(tmp_path / "x.jpg", 2), tmp_path / "out"
    options = ["--out", out, "--formats", "pts,json"]
    assert run(x, *options)[0] == 0
    (out / "x.pts").write_text(MINE)  # points that were put right by hand
    assert run(x, *options, "--resume")[0] == 0  # nothing is to be done
    code, printed, _ = run(x, *options, "--margin", "2")
    assert code == 1 and f"{out / 'x.pts'} is left" in printed and (out / "x.pts").read_text() == MINE
    code, printed, _ = run(x, *options, "--margin", "2", "--resume")
    assert code == 1 and "done before" not in printed  # a resume does not make it a success
    (out / "x.face-2.pts").write_text(MINE)
    photo(tmp_path / "x.jpg", 1)  # the second face is gone, the file of it is the user's
    assert run(x, *options, "--overwrite")[0] == 0
    assert (out / "x.face-2.pts").read_text() == MINE and read_pts((out / "x.pts").read_text()).shape == (68, 2)


def test_what_is_ours_is_replaced_and_named(run: Run, tmp_path: Path) -> None:
    x, out = photo(tmp_path / "x.jpg", 3), tmp_path / "out"
    options = [x, "--out", out, "--formats", "pts,json"]
    code, printed, _ = run(*options)
    assert code == 0 and "  replaced" not in printed and "  wrote" in printed
    photo(x, 1)
    code, printed, err = run(*options)
    assert (code, err) == (0, "") and f"  replaced {out / 'x.pts'}, {out / 'x.json'}\n" in printed
    assert f"  removed {out / 'x.face-2.pts'}, {out / 'x.face-3.pts'}\n" in printed
    assert set(files(out)) == {"x.pts", "x.json"}
    code, printed, err = run(*options, "--json")
    assert code == 0 and err == f"replaced {out / 'x.pts'}, {out / 'x.json'}\n" and len(json.loads(printed)) == 1


def test_a_lost_log_makes_files_strangers(run: Run, tmp_path: Path) -> None:
    x, out = photo(tmp_path / "x.jpg", 1), tmp_path / "out"
    assert run(x, "--out", out, "--formats", "json")[0] == 0
    (out / LOG_NAME).unlink()
    assert run(x, "--out", out, "--formats", "json")[0] == 0  # nothing would be lost: it is the same file
    (out / LOG_NAME).unlink()
    assert run(x, "--out", out, "--formats", "json", "--margin", "2")[0] == 1


@pytest.mark.parametrize("options", [["--formats", "coco"], ["--formats", "pts"], ["--formats", ""], []])
@pytest.mark.parametrize("faces", [0, 1])
def test_a_new_folder_is_made(run: Run, tmp_path: Path, options: list[str], faces: int) -> None:
    out = tmp_path / "new" / "folder"
    code, _, err = run(photo(tmp_path / "x.jpg", faces), photo(tmp_path / "y.jpg", 1), "--out", out, *options)
    assert (code, err) == (0, "") and out.is_dir()


def test_the_second_face_of_one_and_another_photo(run: Run, tmp_path: Path) -> None:
    album, out = tmp_path / "album", tmp_path / "out"
    photo(album / "m.jpg", 2, seed=1)
    photo(album / "m.face-2.jpg", 2, seed=2)
    photo(album / "m.aligned.jpg", 1, seed=3)
    photo(album / "keypoints.coco.jpg", 1, seed=4)
    for command in ([album], [album, "--resume"]):
        code, printed, _ = run(*command, "--out", out, "--formats", "pts,json,png,coco", "--align", "32")
        assert code == 0 and "left" not in printed
    assert "4 done before" in printed
    assert {name for name in files(out) if name.endswith(".pts")} == {
        "m.pts",
        "m.face-2.pts",
        "m.face-2.jpg.pts",
        "m.face-2.jpg.face-2.pts",
        "m.aligned.jpg.pts",
        "keypoints.coco.jpg.pts",
    }
    second = read_faces(files(out)["m.json"])[1]
    assert np.allclose(read_pts(files(out)["m.face-2.pts"].decode()), second.keypoints, atol=1e-3)
    assert "images" in json.loads(files(out)["keypoints.coco.json"])


def test_names_stay_when_photos_are_added(run: Run, tmp_path: Path) -> None:
    album, out = tmp_path / "album", tmp_path / "out"
    photo(album / "b.png", 1)
    assert run(album, "--out", out)[0] == 0
    before = files(out)
    for number, name in enumerate(("a.jpg", "b.jpg", "b.bmp", "b.png.jpg", "in/b.png"), start=1):
        photo(album / name, 1, seed=number)
    code, printed, _ = run(album, "--out", out, "--resume")
    assert code == 0 and "6 photos, 6 faces, 1 done before" in printed and "replaced" not in printed
    assert before.items() <= files(out).items() and len(files(out)) == 6 * 3
    code, printed, _ = run(album, "--out", out, "--resume")
    assert code == 0 and "6 done before" in printed
    code, printed, _ = run(album / "b.jpg", "--out", out, "--resume")  # alone it has the name that it had among others
    assert code == 0 and "1 done before" in printed


def test_photos_of_one_name_from_other_folders_do_not_replace_each_other(run: Run, tmp_path: Path) -> None:
    out, options = tmp_path / "out", ["--formats", "json", "--out", tmp_path / "out"]
    for number, folder in enumerate("abc"):
        code, printed, _ = run(photo(tmp_path / folder / "x.jpg", 1, seed=number), *options)
        assert code == 0 and "replaced" not in printed
    assert len(set(files(out).values())) == 3 and {"x.json", "x.jpg.json"} < set(files(out))


def test_an_album_that_moves_keeps_its_names(run: Run, tmp_path: Path) -> None:
    photo(tmp_path / "album" / "x.jpg", 1)
    out = tmp_path / "out"
    assert run(tmp_path / "album", "--out", out, "--formats", "json")[0] == 0
    shutil.move(tmp_path / "album", tmp_path / "moved")
    code, printed, _ = run(tmp_path / "moved", "--out", out, "--formats", "json")
    assert code == 0 and f"replaced {out / 'x.json'}" in printed and set(files(out)) == {"x.json"}


def test_overwrite_without_a_folder_makes_no_sense(run: Run, tmp_path: Path) -> None:
    code, _, err = run(photo(tmp_path / "x.jpg", 1), "--overwrite")
    assert code == 1 and "--out DIR" in err


def test_a_run_that_was_killed_while_it_wrote_goes_on(run: Run, tmp_path: Path, monkeypatch) -> None:
    """Half of the files are of the new settings; all of them are known."""
    x, out = photo(tmp_path / "x.jpg", 2), tmp_path / "out"
    options = [x, "--out", out, "--formats", "pts,csv,json"]
    assert run(*options)[0] == 0
    written = []

    def stop(path: Path, content: bytes) -> None:
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(path)
        path.write_bytes(content)

    with monkeypatch.context() as patch:
        patch.setattr("kp.files.write_file", stop)
        assert run(*options, "--margin", "2")[0] == 130
    later = x.stat().st_mtime + 1
    for path in out.glob("x.*"):
        os.utime(path, (later, later))
    code, printed, _ = run(*options, "--margin", "2", "--resume")
    assert code == 0 and "done before" not in printed and "left" not in printed
    assert run(*options, "--margin", "2", "--resume")[1].count("done before") == 2
