//! Packets of the first track of sound, decoded and mixed.

use std::io::{Cursor, ErrorKind};

use symphonia::core::audio::GenericAudioBufferRef;
use symphonia::core::codecs::audio::well_known::CODEC_ID_OPUS;
use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, SeekMode, SeekTo, Track, TrackType};
use symphonia::core::io::{MediaSourceStream, MediaSourceStreamOptions};
use symphonia::core::meta::MetadataOptions;
use symphonia::core::packet::Packet;
use symphonia::core::units::Time;

use super::{CHANNELS_MAX, RATE_MAX_HZ, Section, Sound};
use crate::Undecodable;

/// Decoded and thrown away after a jump: MP3, AAC and Vorbis need what came before.
const RUN_UP_S: f64 = 1.0;

pub(super) struct Stream<'a> {
    format: Box<dyn FormatReader + 'a>,
    decoder: Box<dyn AudioDecoder>,
    track: Track,
    /// The decoded frames of the packet at hand, interleaved.
    packet: Vec<f32>,
}

/// Decoded so far of a section.
struct Part {
    /// The next frame's place in the file, in frames; unknown before the first and after a loss.
    position: Option<u64>,
    first: u64,
    end: u64,
    sound: Sound,
}

impl<'a> Stream<'a> {
    pub(super) fn open(bytes: &'a [u8]) -> Result<Self, Undecodable> {
        if bytes.is_empty() {
            return Err(Undecodable::Empty);
        }
        let format = probe(bytes)?;
        let track = format.default_track(TrackType::Audio).cloned();
        let track = track.ok_or_else(|| Undecodable::Unsupported("a file without sound".into()))?;
        let parameters = track.codec_params.as_ref().and_then(|codec| codec.audio());
        let parameters = parameters.ok_or_else(|| Undecodable::Unsupported("its codec".into()))?;
        if parameters.codec == CODEC_ID_OPUS {
            // No maintained decoder for it is written in Rust alone.
            return Err(Undecodable::Unsupported("Opus".into()));
        }
        plausible(parameters)?;
        let decoder = symphonia::default::get_codecs()
            .make_audio_decoder(parameters, &AudioDecoderOptions::default())
            .map_err(undecodable)?;
        Ok(Self { format, decoder, track, packet: Vec::new() })
    }

    pub(super) fn length_s(&self) -> Option<f64> {
        let time = self.track.time_base?.calc_duration(self.track.duration?)?;
        Some(time.as_secs_f64())
    }

    /// To a place before this one, from where decoding has settled when it is reached.
    pub(super) fn seek(&mut self, first_s: f64) -> Result<(), Undecodable> {
        if first_s <= RUN_UP_S {
            return Ok(());
        }
        let silent = || Undecodable::Silent(first_s.to_string());
        let time = Time::try_from_secs_f64(first_s - RUN_UP_S).ok_or_else(silent)?;
        let to = SeekTo::Time { time, track_id: Some(self.track.id) };
        let sought = self.format.seek(SeekMode::Accurate, to);
        sought.map_err(|error| match error {
            Error::SeekError(_) => silent(),
            error => undecodable(error),
        })?;
        self.decoder.reset();
        Ok(())
    }

    pub(super) fn read(mut self, section: Section) -> Result<Sound, Undecodable> {
        let mut part: Option<Part> = None;
        while part.as_ref().is_none_or(Part::is_short) {
            let Some(packet) = self.next_packet()? else { break };
            match self.decoder.decode(&packet) {
                Ok(decoded) if decoded.frames() > 0 => {
                    let part = match &mut part {
                        Some(part) => part,
                        None => part.insert(Part::new(&decoded, section)?),
                    };
                    let place = place(&self.track, &packet, part.sound.rate_hz);
                    decoded.copy_to_vec_interleaved(&mut self.packet);
                    part.add(&self.packet, &decoded, place)?;
                }
                Ok(_) => {}
                // Where decoding begins in the middle, the first packets may lack what they refer
                // to.
                Err(_)
                    if part.as_ref().is_none_or(Part::is_running_up) && section.first_s > 0.0 =>
                {
                    part = None;
                }
                Err(error) => return Err(undecodable(error)),
            }
        }
        self.ends_where_it_says(part.as_ref())?;
        let sound = part.map(|part| part.sound).filter(|sound| !sound.samples.is_empty());
        sound.ok_or_else(|| Undecodable::Silent(section.first_s.to_string()))
    }

    fn next_packet(&mut self) -> Result<Option<Packet>, Undecodable> {
        loop {
            match self.format.next_packet().map_err(undecodable)? {
                Some(packet) if packet.track_id != self.track.id => {}
                packet => return Ok(packet),
            }
        }
    }

    /// Whether a header that counts its frames counted right; estimates of MP3 are no count.
    fn ends_where_it_says(&self, part: Option<&Part>) -> Result<(), Undecodable> {
        let counts = ["wave", "aiff", "flac"].contains(&self.format.format_info().short_name);
        let Some(claimed) = self.track.num_frames.filter(|_| counts) else { return Ok(()) };
        let Some(Part { position: Some(position), end, .. }) = part else { return Ok(()) };
        if *position >= claimed.min(*end) {
            return Ok(());
        }
        Err(Undecodable::Truncated(format!("{position} of {claimed} samples")))
    }
}

impl Part {
    fn new(decoded: &GenericAudioBufferRef<'_>, section: Section) -> Result<Self, Undecodable> {
        let (rate, channels) = (decoded.spec().rate(), decoded.spec().channels().count());
        plausible_rate(rate)?;
        plausible_channels(channels)?;
        let frames = |seconds: f64| (seconds * f64::from(rate)).round() as u64;
        let first = frames(section.first_s);
        let end = first.saturating_add(frames(section.seconds));
        let sound = Sound { rate_hz: rate, channels: channels as u16, samples: Vec::new() };
        Ok(Self { position: None, first, end, sound })
    }

    fn is_short(&self) -> bool {
        self.position.is_none_or(|position| position < self.end)
    }

    fn is_running_up(&self) -> bool {
        self.sound.samples.is_empty()
    }

    /// The frames of a packet that belong to the section.
    fn add(
        &mut self,
        interleaved: &[f32],
        decoded: &GenericAudioBufferRef<'_>,
        place: u64,
    ) -> Result<(), Undecodable> {
        let channels = decoded.spec().channels().count();
        if (decoded.spec().rate(), channels) != (self.sound.rate_hz, self.sound.channels.into()) {
            return Err(Undecodable::corrupt("its rate or its channels change on the way"));
        }
        let position = *self.position.get_or_insert(place);
        let frames = interleaved.chunks_exact(channels);
        self.position = Some(position + frames.len() as u64);
        let skipped = self.first.saturating_sub(position) as usize;
        let wanted = self.end.saturating_sub(position.max(self.first)) as usize;
        let mean = |frame: &[f32]| {
            (frame.iter().map(|sample| f64::from(*sample)).sum::<f64>() / channels as f64) as f32
        };
        let known = self.sound.samples.len();
        self.sound.samples.extend(frames.skip(skipped).take(wanted).map(mean));
        match self.sound.samples[known..].iter().position(|sample| !sample.is_finite()) {
            None => Ok(()),
            Some(at) => Err(Undecodable::NotFinite(self.second(known + at))),
        }
    }

    fn second(&self, sample: usize) -> String {
        format!("{:.3}", (self.first as f64 + sample as f64) / f64::from(self.sound.rate_hz))
    }
}

fn probe(bytes: &[u8]) -> Result<Box<dyn FormatReader + '_>, Undecodable> {
    let source = Box::new(Cursor::new(bytes));
    let source = MediaSourceStream::new(source, MediaSourceStreamOptions::default());
    let opened = symphonia::default::get_probe().probe(
        &Hint::new(),
        source,
        FormatOptions::default(),
        MetadataOptions::default(),
    );
    opened.map_err(|error| match error {
        Error::Unsupported(_) => Undecodable::Unknown("WAV, AIFF, FLAC, MP3, Ogg Vorbis, M4A"),
        error => undecodable(error),
    })
}

/// Where a packet lies in the sound, in frames.
fn place(track: &Track, packet: &Packet, rate_hz: u32) -> u64 {
    let since = packet.pts.get() - track.start_ts.get().max(0);
    let second = track.time_base.map_or(1.0 / f64::from(rate_hz), |base| {
        f64::from(base.numer.get()) / f64::from(base.denom.get())
    });
    // Before the beginning lies what an encoder put there, which is cut off.
    (since as f64 * second * f64::from(rate_hz)).round().max(0.0) as u64
}

fn plausible(parameters: &AudioCodecParameters) -> Result<(), Undecodable> {
    parameters.sample_rate.map_or(Ok(()), plausible_rate)?;
    parameters.channels.as_ref().map_or(Ok(()), |channels| plausible_channels(channels.count()))
}

fn plausible_rate(rate_hz: u32) -> Result<(), Undecodable> {
    let fits = (1..=RATE_MAX_HZ).contains(&rate_hz);
    fits.then_some(()).ok_or(Undecodable::Rate(rate_hz))
}

fn plausible_channels(channels: usize) -> Result<(), Undecodable> {
    let fits = (1..=CHANNELS_MAX).contains(&channels);
    fits.then_some(()).ok_or(Undecodable::Channels(channels))
}

fn undecodable(error: Error) -> Undecodable {
    match error {
        Error::IoError(error) if error.kind() == ErrorKind::UnexpectedEof => {
            Undecodable::Truncated("its data end within a packet".into())
        }
        Error::Unsupported(what) => Undecodable::Unsupported(what.into()),
        error => Undecodable::corrupt(error),
    }
}
