"""Files that people attach to needs, sessions, payments and so on: pictures, documents, voice, video. 附件。"""
