"""Backbones of the recipes in plain PyTorch, images [N, 3, H, W] -> features [N, D]; layers in PaddleClas's order."""
from torch import nn


def conv(inputs, outputs, kernel=1, stride=1, groups=1, act=nn.ReLU):
    layers = [nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
              nn.BatchNorm2d(outputs)]
    return nn.Sequential(*layers, *([act()] if act else []))


class Sum(nn.Module):
    """What one branch makes of its input, and the other (the input itself), added up."""

    def __init__(self, branch, other=None, act=None):
        super().__init__()
        self.branch, self.other, self.act = branch, other or nn.Identity(), act or nn.Identity()

    def forward(self, x):
        return self.act(self.branch(x) + self.other(x))


class Pool(nn.Module):
    def forward(self, x):
        return x.mean((2, 3))


def mobilenet_v2():
    """Sandler et al., 2018, without the pair of layers by which PaddleClas's differs; 1280 numbers."""
    layers, inputs = [conv(3, 32, 3, 2, act=nn.ReLU6)], 32
    for expansion, outputs, repeats, stride in [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2),
                                                (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]:
        for index in range(repeats):
            hidden, step = inputs * expansion, stride if index == 0 else 1
            block = nn.Sequential(*([conv(inputs, hidden, act=nn.ReLU6)] if expansion > 1 else []),
                                  conv(hidden, hidden, 3, step, hidden, nn.ReLU6), conv(hidden, outputs, act=None))
            layers.append(Sum(block) if step == 1 and inputs == outputs else block)
            inputs = outputs
    return nn.Sequential(*layers, conv(inputs, 1280, act=nn.ReLU6), Pool())


def resnet50():
    """He et al., 2016, the last stage at stride 1 as in re-identification; 2048 numbers."""
    layers, inputs = [conv(3, 64, 7, 2), nn.MaxPool2d(3, 2, 1)], 64
    for width, repeats, stride in [(64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 1)]:
        for index in range(repeats):
            step = stride if index == 0 else 1
            block = nn.Sequential(conv(inputs, width), conv(width, width, 3, step), conv(width, 4 * width, act=None))
            shortcut = conv(inputs, 4 * width, 1, step, act=None) if index == 0 else None
            layers.append(Sum(block, shortcut, nn.ReLU()))
            inputs = 4 * width
    return nn.Sequential(*layers, Pool())


class SqueezeExcite(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.gate = nn.Sequential(nn.Conv2d(width, width // 4, 1), nn.ReLU(), nn.Conv2d(width // 4, width, 1),
                                  nn.Hardsigmoid())

    def forward(self, x):
        return x * self.gate(x.mean((2, 3), keepdim=True))


def pplcnet():
    """Cui et al., 2021, at scale 1.0; 1280 numbers."""
    layers, inputs = [conv(3, 16, 3, 2, act=nn.Hardswish)], 16
    for kernel, outputs, stride, squeeze in [
            (3, 32, 1, 0), (3, 64, 2, 0), (3, 64, 1, 0), (3, 128, 2, 0), (3, 128, 1, 0), (3, 256, 2, 0),
            *[(5, 256, 1, 0)] * 5, (5, 512, 2, 1), (5, 512, 1, 1)]:
        layers += [conv(inputs, inputs, kernel, stride, inputs, nn.Hardswish),
                   *([SqueezeExcite(inputs)] if squeeze else []), conv(inputs, outputs, act=nn.Hardswish)]
        inputs = outputs
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Conv2d(512, 1280, 1, bias=False), nn.Hardswish(),
                         nn.Dropout(0.2), nn.Flatten())


NETWORKS = {"MobileNetV2": (mobilenet_v2, 1280), "ResNet50": (resnet50, 2048), "PPLCNet_x1_0": (pplcnet, 1280)}
