"""A topic with three partitions and one with one, in Kafka or in memory: what the reader and writer tests share."""

from typing import Protocol

from streams.engine.admin import Admin, TopicSpec
from streams.engine.memory import MemoryLog, MemoryReader, MemoryWriter
from streams.engine.reader import Reader
from streams.engine.record import Record, RecordReader, RecordWriter, Start
from streams.engine.writer import Writer


class Cluster(Protocol):
    topic: str
    other: str

    def writer(self) -> RecordWriter: ...
    def reader(self, *topics: str, start: Start = "beginning") -> RecordReader: ...


class InKafka:
    def __init__(self, bootstrap: str, word: str) -> None:
        self.topic, self.other, self._bootstrap = f"{word}.a", f"{word}.b", bootstrap
        Admin(bootstrap).create([TopicSpec(self.topic, 3), TopicSpec(self.other, 1)])

    def writer(self) -> RecordWriter:
        return Writer(self._bootstrap)

    def reader(self, *topics: str, start: Start = "beginning") -> RecordReader:
        return Reader(self._bootstrap, topics or [self.topic], start)


class InMemory:
    def __init__(self, word: str) -> None:
        self.topic, self.other = f"{word}.a", f"{word}.b"
        self._log = MemoryLog({self.topic: 3, self.other: 1})

    def writer(self) -> RecordWriter:
        return MemoryWriter(self._log)

    def reader(self, *topics: str, start: Start = "beginning") -> RecordReader:
        return MemoryReader(self._log, topics or [self.topic], start)


def publish(cluster: Cluster, count: int, topic: str = "", prefix: str = "k") -> None:
    with cluster.writer() as writer:
        for n in range(count):
            writer.write(topic or cluster.topic, f"{prefix}{n % 10}", str(n).encode())


def all_of(reader: RecordReader) -> list[Record]:
    with reader:
        return list(reader.read_to_end(30))
