"""What `kp predict` prints about photos, faces and files."""

from collections.abc import Sequence

from kp.commands.predict.task import PhotoResult
from kp.files import Written
from kp.prediction.face import FacePrediction


def print_summary(results: Sequence[PhotoResult], *, out: str | None) -> None:
    """The photos with their faces, then those that failed, and the totals."""
    for result in results:
        if result.error is None:
            print_result(result)
    failed = [result for result in results if result.problem]
    if failed and len(results) > 1:
        print("Failed:")
    for result in failed:
        print(f"{result.file}: {result.problem}")
    faces, kept = sum(len(result.faces) for result in results), sum(result.kept for result in results)
    print(
        f"{count(len(results), 'photo')}, {count(faces, 'face')}"
        + (f", {kept} done before" if kept else "")
        + (f", {len(failed)} failed" if failed else "")
        + ("" if out else ". --out DIR writes pictures and tables, --json prints the points")
    )


def print_result(result: PhotoResult) -> None:
    """A photo's line, one for each face, and those of its files."""
    if result.kept:
        print(f"{result.file}: done before, {count(len(result.faces), 'face')}")
        return
    print(
        f"{result.file}: {result.width} x {result.height} pixels, {count(len(result.faces), 'face')}"
        + (f" (read at 1/{result.reduction} of its size)" if result.reduction > 1 else "")
    )
    for number, face in enumerate(result.faces, start=1):
        score = "" if face.score is None else f", score {face.score:.2f}"
        box = face.box
        print(
            f"  {number}: box ({box.left:.1f}, {box.top:.1f}) to ({box.right:.1f}, {box.bottom:.1f}){score}"
            f"{confidence_text(face)}"
        )
    print_written(result.written)


def print_written(written: Written) -> None:
    """A line each for the files that are new, replaced and removed."""
    for what, paths in (("wrote", written.new), ("replaced", written.replaced), ("removed", written.removed)):
        if paths:
            print(f"  {what} {', '.join(map(str, paths))}")


def confidence_text(face: FacePrediction) -> str:
    """A face's confidence as ", confidence 0.42, low confidence"; empty where it is unknown."""
    if face.confidence is None:
        return ""
    return f", confidence {face.confidence:.2f}{', low confidence' if face.low_confidence else ''}"


def count(number: int, what: str) -> str:
    """ "no faces", "1 face", "2 faces"."""
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"
