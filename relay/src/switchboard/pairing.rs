//! What a relay does with the frames of two who pair.
//!
//! Lives here: who is told what about a number.
//! Must not: look into what they say; count (`plates.rs` does).

use ahoy_proto::frame::ToClient;
use ahoy_proto::plate::{PlateAsk, PlateNews, PlateOver};

use super::{Switchboard, say};
use crate::client_id::ClientId;
use crate::output::Output;
use crate::time::Moment;

impl Switchboard {
    /// Somebody asks something about numbers. Only for who has an inbox here: others would be gone before anybody joins.
    pub(super) fn pair(&mut self, now: Moment, client: ClientId, ask: PlateAsk, out: &mut Vec<Output>) {
        if self.owner(now, client, out).is_none() {
            return;
        }
        let Some(address) = self.clients.get(&client).map(|known| known.address) else { return };
        if let PlateAsk::Say(body) = ask {
            match self.plates.say(client, body.bytes().len()) {
                Ok(Some(other)) => tell(out, other, PlateNews::Said(body)),
                Ok(None) => {}
                Err(why) => {
                    let other = self.plates.leave(client);
                    other.into_iter().for_each(|other| tell(out, other, PlateNews::Over(PlateOver::Left)));
                    tell(out, client, PlateNews::Over(why));
                }
            }
            return;
        }
        // Whatever is asked anew ends what was.
        let other = self.plates.leave(client);
        other.into_iter().for_each(|other| tell(out, other, PlateNews::Over(PlateOver::Left)));
        match ask {
            PlateAsk::Claim => {
                // Eight draws: the first is free nine times in ten.
                let seed = self.draw(b"plate");
                let chance = seed.chunks_exact(4);
                let chance = chance.map(|four| four.iter().fold(0, |all, byte| all << 8 | u32::from(*byte)));
                let news = match self.plates.claim(now, client, address, chance) {
                    Ok((number, lives)) => PlateNews::Claimed(number, lives),
                    Err(why) => PlateNews::Over(why),
                };
                tell(out, client, news);
            }
            PlateAsk::Join(number) => match self.plates.join(now, client, address, number) {
                Ok(host) => [host, client].into_iter().for_each(|who| tell(out, who, PlateNews::Met)),
                Err(why) => tell(out, client, PlateNews::Over(why)),
            },
            PlateAsk::Say(_) | PlateAsk::Leave => {}
        }
    }

    /// Tells whose number is over, and whose other has gone.
    pub(super) fn pairs_over(&mut self, now: Moment, out: &mut Vec<Output>) {
        for (who, why) in self.plates.over(now) {
            if self.clients.contains_key(&who) {
                tell(out, who, PlateNews::Over(why));
            }
        }
    }
}

fn tell(out: &mut Vec<Output>, who: ClientId, news: PlateNews) {
    say(out, who, ToClient::from(news));
}
