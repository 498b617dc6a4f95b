"""Points of several images: tables of them, and those that are far apart."""

import torch

from vae_core.inference.starts import Points, far_apart


def test_points_come_back_from_their_table():
    valid = torch.tensor([[True, False, True], [False, False, False], [False, True, True]])
    places = torch.arange(18.0).view(3, 3, 2)
    points = Points.of(places, valid)
    assert points.image.tolist() == [0, 0, 2, 2]
    table, filled = points.table(points.z, 3)
    assert filled.tolist() == [[True, True], [False, False], [True, True]]
    assert torch.equal(table[filled], places[valid])
    assert torch.equal(table[~filled], torch.zeros(2, 2))


def test_no_points_make_a_table_without_columns():
    points = Points(torch.empty(0, 2), torch.empty(0, dtype=torch.long))
    table, filled = points.table(points.z, 4)
    assert table.shape == (4, 0, 2)
    assert filled.shape == (4, 0)


def test_each_image_keeps_its_first_points_that_are_apart():
    line = torch.tensor([0.0, 0.5, 3.0, 3.2, 9.0, 20.0])
    places = torch.stack([line, line.flip(0), torch.full_like(line, torch.nan)])[..., None]
    valid = torch.ones(3, 6, dtype=torch.bool)
    valid[1, 0] = False
    chosen = far_apart(places, valid, 1.0, 3)
    assert line[chosen[0]].tolist() == [0.0, 3.0, 9.0]
    assert line.flip(0)[chosen[1]].tolist() == [9.0, 3.2000000476837158, 0.5]
    assert chosen[2].sum() == 1, "a place that is no number is close to every other"
