"""What attachments may refuse."""

from __future__ import annotations

import dataclasses

from models.problems import Problem, Retry


@dataclasses.dataclass(eq=False)
class FileTooLarge(Problem):
    """The file is larger than files may be."""

    says = "文件超过 {megabytes} MB，请压缩后再传。"
    retry = Retry.CHANGE_INPUT
    megabytes: int
    """How large a file may be, in MB of 1,000,000 bytes, rounded down."""


@dataclasses.dataclass(eq=False)
class FileTypeRefused(Problem):
    """By its content the file is of a kind that is not kept; its name does not matter."""

    says = "不支持上传{found}，请换成照片、PDF、语音或 MP4。"
    retry = Retry.CHANGE_INPUT
    found: str
    """What it seems to be, in Chinese."""


@dataclasses.dataclass(eq=False)
class FileDamaged(Problem):
    """The file begins as one of its kind and does not go on as one, or it is empty."""

    says = "文件已损坏或不完整，请重新拍摄或导出。"
    retry = Retry.CHANGE_INPUT


@dataclasses.dataclass(eq=False)
class FileActive(Problem):
    """The document runs programs, opens others, or has other files in it."""

    says = "PDF 含有脚本或嵌入文件，请另存为普通 PDF。"
    retry = Retry.CHANGE_INPUT


@dataclasses.dataclass(eq=False)
class PictureTooLarge(Problem):
    """The picture has more pixels than a phone can show."""

    says = "图片像素过大，最多 {megapixels} 百万像素。"
    retry = Retry.CHANGE_INPUT
    megapixels: int
    """How many millions of pixels a picture may have."""


@dataclasses.dataclass(eq=False)
class TooManyAttachments(Problem):
    """There are as many attachments as one thing may have."""

    says = "附件已满 {maximum} 个，请先删除不需要的。"
    retry = Retry.CHANGE_INPUT
    maximum: int
    """How many there may be."""


@dataclasses.dataclass(eq=False)
class AttachmentKept(Problem):
    """Something was decided, credited or paid by this attachment: it stays with what it shows."""

    says = "该附件已作为办理依据，不能删除。"


@dataclasses.dataclass(eq=False)
class StorageUnavailable(Problem):
    """Files can be neither kept nor read just now; nothing was changed."""

    says = "文件存储暂时不可用，请稍后再试。"
    retry = Retry.LATER
    retry_after_seconds = 30
