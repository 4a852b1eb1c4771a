"""CelebA's aligned pictures, from their folder or zip; no label files are needed."""

from pathlib import Path

from taugda.gan.data.errors import DataError
from taugda.gan.data.fetch import fetch_into
from taugda.gan.data.pictures import Pictures, find_pictures

__all__ = ["find_celeba"]

FOLDER = "img_align_celeba"
ARCHIVE = f"{FOLDER}.zip"


def find_celeba(path: Path, download: bool) -> Pictures:
    """Find the aligned and cropped JPEG files.

    Parameters
    ----------
    path : Path
        Folder that holds ``img_align_celeba`` or ``img_align_celeba.zip``, itself or in a folder
        ``celeba`` as torchvision has it; or one of these itself.
    download : bool
        Whether the zip may be fetched into the folder if neither is there.

    Returns
    -------
    Pictures
        All of them (202,599 in the published set).

    Raises
    ------
    DataError
        If they are missing or cannot be fetched.
    """
    if path.is_file() or (path.name == FOLDER and path.is_dir()):
        return find_pictures(path)
    for place in (path, path / "celeba"):
        for name in (FOLDER, ARCHIVE):
            if (place / name).exists():
                return find_pictures(place / name)
    advice = f"Put {ARCHIVE} (aligned and cropped, 1.4 GB) or the folder {FOLDER} into {path}"
    if not download:
        raise DataError(f"celeba: not found in {path}. {advice}, or allow the download.")

    from taugda.gan.vision import torchvision

    utils = torchvision.datasets.utils
    file_id, md5 = next(
        (file_id, md5)
        for file_id, md5, name in torchvision.datasets.CelebA.file_list
        if name == ARCHIVE
    )

    def get(folder: Path) -> None:
        utils.download_file_from_google_drive(file_id, folder, ARCHIVE, md5)

    failed = f"celeba: cannot fetch {ARCHIVE} from Google Drive (it refuses after a daily quota)"
    return find_pictures(fetch_into(path, ARCHIVE, get, failed, advice))
