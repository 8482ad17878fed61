"""`python -m kp predict` with folders and many photos: what is found, written, left out and reported."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
from builders import drawn_face
from running import ROOT

from kp import read_image
from kp.__main__ import main
from kp.commands.predict.find_images import Photo, find_photos
from kp.commands.predict.settings import PredictSettings
from kp.commands.predict.task import ImageTask, PhotoResult
from kp.commands.predict.worker_pool import predict_in_processes
from kp.data.images import read_reduced
from kp.errors import ConfigError
from kp.files import LOG_NAME
from kp.formats.aligned import aligned_transform
from kp.formats.pts import read_pts
from kp.formats.record import read_faces

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(model: str, capsys: pytest.CaptureFixture) -> Run:
    """The exit code of `predict ...` and what it wrote to either stream; one that leaves as argparse does, too."""

    def command(*arguments: object) -> tuple[int, str, str]:
        try:
            code = main(["predict", *map(str, arguments), "--model", model, "--detector", "whole-image"])
        except SystemExit as leaving:
            code = leaving.code
        return code, *capsys.readouterr()

    return command


@pytest.fixture
def album(tmp_path: Path) -> Path:
    """A folder with photos in folders, and what is no photo."""
    root = tmp_path / "album"
    for seed, name in enumerate(("b.png", "a/x.jpg", "a/deep/x.PNG", "b/x.jpg", "b/x.png")):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        write_photo(root / name, seed)
    for name in ("notes.txt", ".hidden.png", "a/.cache/x.png", "film.mp4"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text("no photo")
    return root


LEFT_OUT = (
    "Left out: .mp4: 1 file: videos; see `python -m kp video`\n"  # of `album`
    "Left out: .txt: 1 file: not a picture that can be read here\n"
)


def write_photo(path: Path, seed: int) -> None:
    _, encoded = cv2.imencode(path.suffix.lower(), drawn_face(seed)[0][..., ::-1])
    path.write_bytes(encoded.tobytes())


def files(folder: Path) -> set[str]:
    """What lies in a folder, but for what is hidden."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and path.name[0] != "."}


STEMS = ["a/deep/x", "a/x", "b", "b/x", "b/x.png"]


def test_folders_are_gone_through_and_kept(run: Run, album: Path, tmp_path: Path) -> None:
    code, out, err = run(album, "--out", tmp_path / "out")
    assert code == 0 and "5 photos, 5 faces" in out
    assert err == LEFT_OUT
    assert files(tmp_path / "out") == {f"{stem}.{ending}" for stem in STEMS for ending in ("png", "csv", "json")}
    both = {(tmp_path / "out" / "b" / f"{stem}.json").read_text() for stem in ("x", "x.png")}
    assert len(both) == 2  # of two photos


def test_each_photo_of_a_folder_has_its_record(run: Run, album: Path) -> None:
    code, out, _ = run(album, album / "b.png", "--json")
    records = json.loads(out)
    assert code == 0
    assert [Path(record["file"]).relative_to(album).as_posix() for record in records] == [
        "b.png",
        "a/x.jpg",
        "a/deep/x.PNG",
        "b/x.jpg",
        "b/x.png",
        "b.png",
    ]
    assert [list(record) for record in records] == [["file", "width", "height", "error", "faces"]] * 6


def test_the_output_is_never_taken_for_photos(run: Run, album: Path) -> None:
    for _ in range(2):
        code, out, _ = run(album, "--out", album / "out")
        assert code == 0 and "5 photos, 5 faces" in out
    code, out, err = run(album, "--out", album)
    assert (code, out) == (1, "") and "Name another folder" in err
    before = (album / "b.png").read_bytes()
    code, out, err = run(album / "b.png", "--out", album)
    assert (code, out) == (1, "") and "take the place of a photo" in err
    assert run(album / "b.png", "--out", album, "--formats", "json")[0] == 0
    assert (album / "b.png").read_bytes() == before


def test_links_back_do_not_lead_in_circles(album: Path) -> None:
    (album / "a" / "again").symlink_to(album, target_is_directory=True)
    assert len(find_photos([str(album)])) == 5


def test_formats_are_chosen(run: Run, album: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    code, _, _ = run(album / "a", "--out", out, "--formats", "openface,pts,json,coco", "--align", "96")
    assert code == 0
    ends = ("openface.csv", "pts", "json", "aligned.png", "aligned.json")
    assert files(out) == {f"{stem}.{end}" for stem in ("x", "deep/x") for end in ends} | {"keypoints.coco.json"}
    (face,) = read_faces((out / "x.json").read_text())
    assert np.allclose(read_pts((out / "x.pts").read_text()), face.keypoints, atol=1e-3)
    crop = aligned_transform(face.keypoints, 96)
    assert np.array_equal(read_image(out / "x.aligned.png"), crop.warp(read_image(album / "a" / "x.jpg")))
    (entry,) = json.loads((out / "x.aligned.json").read_text())
    assert np.allclose(entry["matrix"], crop.matrix) and entry["file"] == "x.aligned.png"
    coco = json.loads((out / "keypoints.coco.json").read_text())
    assert [image["file_name"] for image in coco["images"]] == [
        str(album / "a" / name) for name in ("x.jpg", "deep/x.PNG")
    ]
    assert len(coco["annotations"]) == 2


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        (["--formats", "docx", "--out", "x"], 2, "no format 'docx'"),
        (["--formats", "csv"], 1, "--out DIR"),
        (["--align", "64"], 1, "--out DIR"),
        (["--resume"], 1, "--out DIR"),
        (["--resume", "--out", "x", "--formats", "csv"], 1, "Add json"),
        (["--align", "9", "--out", "x"], 1, "16 to 2048"),
        (["--align", "0", "--out", "x"], 1, "16 to 2048"),
        (["--workers", "0"], 1, "at least 1"),
    ],
)
def test_options_that_cannot_be(run: Run, album: Path, monkeypatch, options: list[str], code: int, says: str) -> None:
    monkeypatch.chdir(album)
    before = files(album)
    ended, out, err = run(album / "b.png", *options)
    assert (ended, out) == (code, "") and says in err and "Traceback" not in err
    assert files(album) == before


def test_failures_stand_at_the_end_with_their_reasons(run: Run, album: Path, tmp_path: Path) -> None:
    (album / "a" / "bad.jpg").write_text("no picture")
    (album / "cut.png").write_bytes((album / "b.png").read_bytes()[:500])
    code, out, _ = run(album, "--out", tmp_path / "out")
    assert code == 1
    lines = out.splitlines()
    end = lines[lines.index("Failed:") :]
    assert len(end) == 4 and end[-1] == "7 photos, 5 faces, 2 failed"
    assert end[1].startswith(f"{album / 'cut.png'}: ") and "damaged" in end[1]
    assert end[2].startswith(f"{album / 'a' / 'bad.jpg'}: ") and "not a picture" in end[2]
    assert len([name for name in files(tmp_path / "out") if name.endswith(".json")]) == 5


def test_resume_leaves_out_what_is_done(run: Run, album: Path, tmp_path: Path, monkeypatch) -> None:
    out = tmp_path / "out"
    (album / "bad.jpg").write_text("no picture")
    _, first, _ = run(album, "--json", "--out", out)
    (out / "a" / "x.csv").unlink()  # half done
    later = (out / "b" / "x.json").stat().st_mtime + 5
    os.utime(album / "b" / "x.jpg", (later, later))  # another photo by now
    predicted = []
    predict = PredictSettings.predict
    monkeypatch.setattr(
        PredictSettings, "predict", lambda self, task: predicted.append(task.photo.stem) or predict(self, task)
    )
    code, second, _ = run(album, "--json", "--out", out, "--resume")
    assert code == 1 and sorted(predicted) == ["a/x", "b/x", "bad"]
    assert json.loads(second) == json.loads(first)  # with the results of the earlier run
    os.utime(album / "b" / "x.jpg", (0, 0))
    predicted.clear()
    code, printed, _ = run(album, "--out", out, "--resume", "--align", "64")
    assert len(predicted) == 6  # the crops were missing
    code, printed, _ = run(album, "--out", out, "--resume", "--formats", "json", "--align", "64")
    assert len(predicted) == 7 and "6 photos, 5 faces, 5 done before, 1 failed" in printed


def test_resume_knows_photos_and_settings_apart(run: Run, album: Path, tmp_path: Path) -> None:
    options = ["--out", tmp_path / "out", "--formats", "json"]
    boxes = tmp_path / "boxes.csv"
    boxes.write_text("file,left,top,right,bottom\nx.jpg,20,30,90,100\n")
    for arguments, kept in (
        ([album / "a" / "x.jpg"], 0),
        ([album / "a" / "x.jpg"], 1),
        ([album / "b" / "x.jpg"], 0),  # another photo
        ([album / "b" / "x.jpg", "--margin", "2"], 0),
        ([album / "b" / "x.jpg", "--margin", "2"], 1),
        ([album / "b" / "x.jpg", "--boxes", boxes], 0),
        ([album / "b" / "x.jpg", "--boxes", boxes], 1),
        ([album / "b" / "x.jpg", "--tta", "2"], 0),
        ([album / "b" / "x.jpg"], 0),
    ):
        code, out, _ = run(*arguments, *options, "--resume")
        assert code == 0 and ("1 done before" in out) == bool(kept), arguments


def test_resume_reads_a_log_that_was_cut_short(run: Run, album: Path, tmp_path: Path) -> None:
    run(album, "--out", tmp_path / "out", "--formats", "json")
    resume_log = tmp_path / "out" / LOG_NAME
    text = resume_log.read_text()
    assert len(text.split()) and len(re.findall("(?m)^.", text)) == 5
    for broken in (text[:-40].encode(), b"\xff"):
        resume_log.write_bytes(broken)
        kept = broken.count(b"}}]")
        for known in (kept, 5):  # a file of the very content that would be written is known again
            code, out, _ = run(album, "--out", tmp_path / "out", "--formats", "json", "--resume")
            assert code == 0 and (f"{known} done before" in out if known else "done before" not in out)


class Fragile(PredictSettings):
    """Some photos end its process."""

    def predict(self, task: ImageTask) -> PhotoResult:
        if "bomb" in task.photo.file:
            os._exit(9)
        return PhotoResult(task.photo.file, width=os.getpid())


def fragile() -> Fragile:
    return Fragile("", "", None, None, 1, None, (), None)


def test_a_photo_that_ends_its_process_fails_alone() -> None:
    names = ["a", "bomb", "b", "c", "d", "e", "f"]
    results = dict(predict_in_processes([ImageTask(Photo(name, name)) for name in names], fragile(), 2))
    assert [results[number].file for number in range(len(names))] == names
    assert [name for number, name in enumerate(names) if results[number].error] == ["bomb"]
    assert "ended the process" in results[1].error
    assert os.getpid() not in {result.width for result in results.values()}


def test_workers_give_the_same_answers(run: Run, album: Path, tmp_path: Path) -> None:
    (album / "bad.jpg").write_text("no picture")
    code, one, _ = run(album, "--json", "--workers", "1")
    several, two, _ = run(album, "--json", "--workers", "2", "--out", tmp_path / "out", "--formats", "json")
    assert code == several == 1
    for alone, shared in zip(json.loads(one), json.loads(two), strict=True):
        assert (alone["file"], alone["error"]) == (shared["file"], shared["error"])
        for face, same in zip(alone["faces"], shared["faces"], strict=True):
            assert np.allclose(face["keypoints"], same["keypoints"], atol=1e-3)
    assert files(tmp_path / "out") == {f"{stem}.json" for stem in STEMS}


def test_workers_know_each_other_s_files(run: Run, album: Path, tmp_path: Path) -> None:
    options = [album, "--out", tmp_path / "out", "--formats", "pts,json", "--workers", "2"]
    assert run(*options)[0] == 0
    log = (tmp_path / "out" / LOG_NAME).read_text()
    assert sorted(json.loads(line)[0] for line in log.split("\n") if line) == STEMS
    (tmp_path / "out" / "a" / "x.pts").write_text("mine")
    code, out, _ = run(*options, "--margin", "2")
    assert code == 1 and out.count("  replaced ") == 5 and out.count(" is left: ") == 1
    assert (tmp_path / "out" / "a" / "x.pts").read_text() == "mine"
    code, out, _ = run(*options, "--margin", "2", "--resume")
    assert code == 1 and "4 done before, 1 failed" in out


def test_many_photos_start_a_worker_a_core(run: Run, album: Path, monkeypatch) -> None:
    predicted = []

    def note(tasks: list[ImageTask], settings: PredictSettings, workers: int):
        predicted.append(workers)
        return ((number, PhotoResult(task.photo.file, 1, 1)) for number, task in enumerate(tasks))

    monkeypatch.setattr("kp.commands.predict.command.predict_tasks", note)
    monkeypatch.setattr("kp.commands.predict.command.own_cores", lambda: 7)
    for number in range(50):
        (album / f"{number}.jpg").write_text("")
    run(album / "a")
    run(album)
    run(album, "--workers", "3")
    assert predicted == [1, 7, 3]


def running_in_group(group: int) -> list[str]:
    """Names of the processes of a group that are not over."""
    stats = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            name, _, rest = file.read_text().rpartition(")")
            stats.append((name, *rest.split()[:3]))
    return [name for name, state, _, of_group in stats if state != "Z" and int(of_group) == group]


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")
def test_ctrl_c_ends_all_processes_and_resume_goes_on(run: Run, album: Path, tmp_path: Path, model: str) -> None:
    for number in range(400):
        (album / f"{number:03}.png").write_bytes((album / "b.png").read_bytes())
    out = tmp_path / "out"
    command = [
        sys.executable,
        "-m",
        "kp",
        "predict",
        str(album),
        "--out",
        str(out),
        "--model",
        model,
        "--detector",
        "whole-image",
        "--workers",
        "2",
        "--formats",
        "json",
    ]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    ) as process:
        while not (out.is_dir() and len(files(out)) > 5):
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does, to all of them
        _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (130, LEFT_OUT + "Interrupted.\n")
    deadline = time.monotonic() + 10
    while left := running_in_group(process.pid):
        assert time.monotonic() < deadline, left
    done = len(files(out))
    assert 5 < done < 405 and all(name.endswith(".json") for name in files(out))
    code, printed, _ = run(album, "--out", out, "--resume", "--formats", "json", "--workers", "1")
    kept = int(re.search(r"405 photos, 405 faces, (\d+) done before", printed).group(1))
    assert code == 0 and done - 4 <= kept <= done  # those under way when it was stopped may not be noted yet


def test_an_out_that_is_one_of_the_folders_is_refused(album: Path) -> None:
    with pytest.raises(ConfigError, match="folder with the photos"):
        find_photos([str(album / "a"), str(album)], out=f"{album}/a/../a")


def test_a_folder_of_heic_photos_gets_advice(run: Run, tmp_path: Path) -> None:
    for number in range(12):
        (tmp_path / f"IMG_{number}.HEIC").write_bytes(b"\0\0\0\x18ftypheic")
    code, out, err = run(tmp_path)
    assert code == 1 and "has no picture files in it (.heic: 12 files: install pillow-heif" in out
    assert err.splitlines() == ["Left out: .heic: 12 files: install pillow-heif to read them, or save them as JPEG"]


def test_a_reduced_photo_s_points_are_those_of_the_whole(run: Run, tmp_path: Path, monkeypatch) -> None:
    pixels = cv2.resize(drawn_face(3)[0], (801, 640), interpolation=cv2.INTER_CUBIC)
    cv2.imwrite(str(tmp_path / "a.jpg"), pixels[..., ::-1])
    (tmp_path / "boxes.csv").write_text("file,left,top,right,bottom\na.jpg,200,100,600,500\n")
    options = (tmp_path / "a.jpg", "--boxes", tmp_path / "boxes.csv", "--json")
    (whole,) = json.loads(run(*options)[1])
    for divided, limit in ((2, 200_000), (4, 50_000)):
        monkeypatch.setattr("kp.commands.predict.settings.read_reduced", partial(read_reduced, max_pixels=limit))
        (reduced,) = json.loads(run(*options)[1])
        assert (reduced["width"], reduced["height"]) == (801, 640)
        first, second = (np.array(one["faces"][0]["keypoints"]) for one in (whole, reduced))
        assert np.abs(first - second).max() < 8 and np.allclose(reduced["faces"][0]["box"], [200, 100, 600, 500])
        code, out, _ = run(*options[:3], "--out", tmp_path / f"out{divided}")
        assert code == 0 and f"read at 1/{divided} of its size" in out
        assert read_image(tmp_path / f"out{divided}" / "a.png").shape == (640, 801, 3)
