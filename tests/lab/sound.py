"""Sound as numbers: speech, levels, alignment, scores.

Lives here: everything that is computed from samples, which are floats of -1 to 1 in numpy arrays.
Must not: know the sound server, the daemons or what a call is.
"""

import subprocess
import wave

import numpy
from pesq import pesq

RATE = 48000
FLOOR = -120.0


def say(voice, text, path):
    """Speech of espeak-ng at 48 kHz, at a usual speaking level."""
    subprocess.run(["espeak-ng", "-v", voice, "-s", "165", "-w", str(path), text], check=True)
    with wave.open(str(path)) as file:
        raw = numpy.frombuffer(file.readframes(file.getnframes()), numpy.int16)
        speech = resample(raw / 32768.0, file.getframerate(), RATE)
    speech *= 10 ** ((-23 - level(speech)) / 20)
    save(path, speech)
    return speech


def tone(frequency, seconds):
    """A steady tone of -12 dBFS."""
    return 0.25 * numpy.sqrt(2) * numpy.sin(2 * numpy.pi * frequency * numpy.arange(int(seconds * RATE)) / RATE)


def save(path, samples):
    """Writes a mono WAV file of 48 kHz."""
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes((numpy.clip(samples, -1, 1) * 32767).astype(numpy.int16).tobytes())


def resample(samples, rate, wanted):
    """Another sample rate, by way of the spectrum."""
    count = int(round(len(samples) * wanted / rate))
    spectrum = numpy.fft.rfft(samples)
    bins = numpy.zeros(count // 2 + 1, complex)
    kept = min(len(spectrum), len(bins))
    bins[:kept] = spectrum[:kept]
    return numpy.fft.irfft(bins, count) * wanted / rate


def level(samples):
    """Mean power in dBFS, FLOOR for silence."""
    power = float(numpy.mean(numpy.square(samples))) if len(samples) else 0.0
    return max(FLOOR, 10 * numpy.log10(power)) if power > 0 else FLOOR


def loudest(samples, seconds=0.02):
    """The highest level of any stretch of that length."""
    size = int(seconds * RATE)
    return max((level(samples[at : at + size]) for at in range(0, len(samples) - size + 1, size // 2)), default=FLOOR)


def onset(samples, threshold=-40.0):
    """The end of the first 5 ms that are louder than the threshold, in seconds; None if there are none."""
    size = RATE // 200
    for at in range(0, len(samples) - size + 1, RATE // 1000):
        if level(samples[at : at + size]) > threshold:
            return (at + size) / RATE
    return None


def pitch(samples):
    """The strongest frequency in hertz."""
    return float(numpy.argmax(numpy.abs(numpy.fft.rfft(samples)))) * RATE / len(samples)


def tone_levels(samples, frequency, step):
    """How much of one frequency is in each 5 ms, in dBFS, the next ones beginning so many seconds later."""
    size = RATE // 200
    if len(samples) < size:
        return numpy.zeros(0)
    pieces = numpy.lib.stride_tricks.sliding_window_view(samples, size)[:: int(step * RATE)]
    wave = numpy.exp(-2j * numpy.pi * frequency * numpy.arange(size) / RATE)
    return 10 * numpy.log10(numpy.maximum(2 * numpy.abs(pieces @ wave) ** 2 / size**2, 1e-12))


def tone_begins(samples, frequency, threshold=-24.0):
    """The end of the first 5 ms in which that tone is, and stays for 20 ms, in seconds; None if there are none."""
    there = tone_levels(samples, frequency, 0.001) > threshold
    for at in range(len(there) - 15):
        if all(there[at : at + 20 : 5]):
            return 0.001 * at + 0.005
    return None


def longest_without(samples, frequency, threshold=-40.0):
    """The longest time without that tone, in seconds."""
    there = numpy.concatenate([[True], tone_levels(samples, frequency, 0.005) > threshold, [True]])
    return 0.005 * float(max(numpy.diff(numpy.flatnonzero(there)) - 1))


def align(original, recording):
    """What of the recording is the original, as long as it: by the peak of their correlation in its first 3 s."""
    size = 1 << int(numpy.ceil(numpy.log2(len(original) + len(recording))))
    product = numpy.fft.rfft(recording, size) * numpy.conj(numpy.fft.rfft(original, size))
    at = int(numpy.argmax(numpy.fft.irfft(product, size)[: 3 * RATE]))
    cut = recording[at : at + len(original)]
    return numpy.pad(cut, (0, len(original) - len(cut)))


def score(original, recording):
    """PESQ (ITU-T P.862.2, wideband): 1.0 for nothing alike, 4.64 for the same; with the worst stretch of 6 s."""
    spoken, heard = paired(original, recording)
    return grade(spoken, heard), min(stretches(spoken, heard))


def likeness(original, recording):
    """The best PESQ of any 6 s, for speech that should not be there. Over a longer time PESQ moves the utterances of two
    unlike recordings until they fit, and what it then gives means nothing."""
    return max(stretches(*paired(original, recording)))


def paired(original, recording):
    """What was spoken and what was heard of it, as PESQ takes them."""
    heard = resample(align(original, recording), RATE, 16000)
    # PESQ refuses true silence.
    return resample(original, RATE, 16000), heard + numpy.random.default_rng(1).normal(0, 1e-5, len(heard))


def stretches(spoken, heard):
    size = 6 * 16000
    return [grade(spoken[at : at + size], heard[at : at + size]) for at in range(0, len(spoken) - size + 1, size)]


def grade(spoken, heard):
    return float(pesq(16000, spoken.astype(numpy.float32), heard.astype(numpy.float32), "wb"))


def intelligibility(spoken, heard):
    """STOI (Taal, Hendriks, Heusdens, Jensen 2011) of two recordings of the same length: 0 for nothing, 1 for everything."""
    rate, size, bands, span = 10000, 256, 15, 30
    spoken, heard = (resample(samples, RATE, rate) for samples in (spoken, heard))
    window = numpy.hanning(size + 2)[1:-1]
    starts = range(0, len(spoken) - size, size // 2)
    frames = [numpy.array([samples[at : at + size] * window for at in starts]) for samples in (spoken, heard)]
    # Frames of silence, 40 dB below the loudest, say nothing; the others are put together again.
    power = 20 * numpy.log10(numpy.linalg.norm(frames[0], axis=1) + 1e-12)
    loud = power > power.max() - 40
    joined = [numpy.zeros((loud.sum() + 1) * size // 2) for _ in frames]
    for whole, kept in zip(joined, frames):
        for n, frame in enumerate(kept[loud]):
            whole[n * size // 2 : n * size // 2 + size] += frame
    starts = range(0, len(joined[0]) - size, size // 2)
    spectra = [numpy.abs(numpy.fft.rfft([whole[at : at + size] * window for at in starts], 512)) ** 2 for whole in joined]
    frequency = numpy.linspace(0, rate / 2, 257)
    centre = 150 * 2 ** (numpy.arange(bands) / 3)
    low, high = (numpy.array([numpy.argmin((frequency - edge) ** 2) for edge in centre * 2 ** (side / 6)]) for side in (-1, 1))
    clean, other = (
        numpy.sqrt(numpy.array([spectrum[:, a:b].sum(axis=1) for a, b in zip(low, high)])) for spectrum in spectra
    )
    scores = []
    for end in range(span, clean.shape[1] + 1):
        one, two = clean[:, end - span : end], other[:, end - span : end]
        gain = numpy.linalg.norm(one, axis=1, keepdims=True) / (numpy.linalg.norm(two, axis=1, keepdims=True) + 1e-12)
        two = numpy.minimum(two * gain, one * (1 + 10 ** (15 / 20)))
        one, two = (part - part.mean(axis=1, keepdims=True) for part in (one, two))
        scale = numpy.linalg.norm(one, axis=1) * numpy.linalg.norm(two, axis=1) + 1e-12
        scores.append(numpy.mean((one * two).sum(axis=1) / scale))
    return float(numpy.mean(scores))
