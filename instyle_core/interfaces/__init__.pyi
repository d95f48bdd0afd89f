"""The names of this folder, resolved when they are first used."""

from .extractor import FeatureExtractor as FeatureExtractor
from .input_files import InputFile as InputFile
from .loss import Loss as Loss
from .loss import SummedLoss as SummedLoss
from .loss import Sums as Sums
from .loss import Targets as Targets
from .loss import View as View
from .merger import Merger as Merger
from .params import ExtractorParams as ExtractorParams
from .params import LossParams as LossParams
from .params import Params as Params
from .params import RankerParams as RankerParams
from .params import ReaderParams as ReaderParams
from .params import SegmenterParams as SegmenterParams
from .pictures import Box as Box
from .pictures import Mask as Mask
from .pictures import Point as Point
from .pictures import Size as Size
from .ranker import Ranker as Ranker
from .ranker import Rating as Rating
from .refiner import Refiner as Refiner
from .segmenter import Instance as Instance
from .segmenter import Prompt as Prompt
from .segmenter import Segmentation as Segmentation
from .segmenter import Segmenter as Segmenter
