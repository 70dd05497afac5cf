"""Attachments as GraphQL shows them."""

from resolvers.files.mutations import FilesMutation
from resolvers.files.types import Attachment, FilesQuery

__all__ = ["Attachment", "FilesMutation", "FilesQuery"]
