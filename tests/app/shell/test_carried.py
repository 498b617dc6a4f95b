"""Values of widgets go along to other pages."""

from streamlit.testing.v1 import AppTest


def visited(pages: list[str], linked: str = "") -> AppTest:
    def page(pages: list[str], linked: str) -> None:
        import streamlit as st

        from app.shell import carried

        place = st.session_state.setdefault("place", 0)
        if linked and place:
            st.query_params["image"] = linked
        carried.arrive(pages[place])
        st.number_input("Image", 0, 9, 1, key="image")
        carried.keep("image", st.session_state["image"])

    return AppTest.from_function(page, kwargs={"pages": pages, "linked": linked})


def next_page(app: AppTest) -> AppTest:
    app.session_state["place"] += 1
    del app.session_state["image"]  # as Streamlit forgets it
    return app.run()


def test_another_page_has_the_value_of_the_last_one() -> None:
    app = visited(["start", "theory"]).run()
    app.number_input[0].set_value(7).run()
    assert next_page(app).number_input[0].value == 7


def test_a_value_in_the_address_comes_first() -> None:
    app = visited(["start", "theory"], linked="3").run()
    app.number_input[0].set_value(7).run()
    assert next_page(app).number_input[0].value == 1  # not bound here, so its default


def test_a_value_that_is_changed_on_the_same_page_stays() -> None:
    app = visited(["start"]).run()
    app.number_input[0].set_value(7).run()
    assert app.number_input[0].set_value(2).run().number_input[0].value == 2
