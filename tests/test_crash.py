"""A real `sala run` is killed in the middle of a talk, again and again, and nothing is lost."""

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from uuid import uuid4

import pytest
from threatexchange.exchanges.clients.stopncii.api import StopNCIIAPI

from bot.text import load_texts
from tests.serving import Served, served
from tests.visiting import Page, Visitor, codes, ticket_of

QUESTION, ANSWER = "is it free?", load_texts().say("answer.is_it_free", "en")
GOODBYE, REPLY = "thank you", load_texts().say("answer.thanks", "en")
WAY = ("ask.situation=money", "ask.who=self", "ask.age=adult", "ask.image=here")


class Talk:
    """A talk that goes on over many lives of the server."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: set[str] = set()
        with served(folder) as sala:
            self.visitor = Visitor(sala.url)
            with self.visitor.page() as page:
                page.until("own phone")
                self.visitor.presses("ask.phone=own")
                page.until("What is happening")

    @contextmanager
    def life(self) -> Iterator[Served]:
        """The server runs until the block ends, then it is killed."""
        with served(self.folder) as sala:
            self.visitor.url = sala.url
            yield sala
            kill(sala)

    def asks(self, id: str = "") -> bool:
        """A question of its own id, or once more; whether it was acknowledged."""
        said = {"id": id or str(uuid4()), "text": QUESTION}
        self.asked.add(said["id"])
        return self.visitor.kept("/chat/say", said)

    def answers(self) -> int:
        return sum(ANSWER in message["text"] for message in self.visitor.seen.values())

    def reads_to_the_end(self, page: Page) -> None:
        assert self.visitor.says(GOODBYE)
        page.until(REPLY)


def kill(sala: Served) -> None:
    sala.process.send_signal(signal.SIGKILL)
    sala.process.wait(10)


def test_killed_at_any_moment_of_a_talk_every_acknowledged_message_is_answered_once(
    tmp_path: Path,
) -> None:
    talk = Talk(tmp_path)

    with talk.life():  # killed as soon as a message was acknowledged
        assert talk.asks()

    with talk.life() as sala, talk.visitor.page():  # while answers go out
        assert talk.asks()
        kill(sala)

    with talk.life() as sala, talk.visitor.page() as page:  # shown, not acknowledged
        assert talk.asks()
        page.message(acknowledge=False)
        kill(sala)

    with talk.life() as sala, talk.visitor.page() as page:  # shown and acknowledged
        assert talk.asks()
        page.message()
        kill(sala)

    with talk.life() as sala, ThreadPoolExecutor(5) as posts:  # in the middle of many posts
        running = [posts.submit(talk.asks) for _ in range(5)]
        assert running[0].result()
        kill(sala)

    with talk.life():  # as soon as the page has repeated all it is not sure of
        assert all(talk.asks(id) for id in sorted(talk.asked))

    with served(tmp_path) as sala:
        talk.visitor.url = sala.url
        with talk.visitor.page() as page:
            talk.reads_to_the_end(page)
    assert len(talk.asked) == 9
    assert talk.answers() == 9


# ---------------------------------------------------------------- the case


def registers(visitor: Visitor, ticket: str) -> int | None:
    """The status of the mini-app's post; None when the line broke."""
    try:
        return visitor.post("/app/hashes", {"ticket": ticket, "items": codes("5a" * 32)})[0]
    except (OSError, HTTPException):
        return None


def cases(partner: StopNCIIAPI) -> set[str]:
    records = [one for page in partner.fetch_hashes_iter() for one in page.hashRecords]
    return {case for record in records for case in record.caseNumbers}


@pytest.mark.parametrize("moment", ["with the post", "after the post"])
def test_killed_around_the_mini_apps_post_the_case_is_made_once(
    tmp_path: Path, moment: str
) -> None:
    talk = Talk(tmp_path)
    with talk.life() as sala:
        with talk.visitor.page() as page:
            talk.visitor.presses(*WAY, "ask.consent=yes")
            ticket = ticket_of(page.until("Choose the picture"))
        with ThreadPoolExecutor(1) as posts:
            post = posts.submit(registers, talk.visitor, ticket)
            if moment == "after the post":
                assert post.result() == 200
            kill(sala)
            first = post.result()

    with talk.life():
        again = registers(talk.visitor, ticket)
        assert again == 410 if first == 200 else again in {200, 410}

    with served(tmp_path) as sala:
        talk.visitor.url = sala.url
        assert registers(talk.visitor, ticket) == 410
        with talk.visitor.page() as page:
            talk.reads_to_the_end(page)
        assert len(cases(sala.partner("Chirp", "adults"))) == 1
        told = [m for m in talk.visitor.seen.values() if "Your case number" in m["text"]]
        assert len(told) == 1
