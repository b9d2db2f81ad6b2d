//! References of A32, T32 and RISC-V, by what their instructions do.

use super::super::instructions::{Form, form, with_number, with_target};
use super::{Kind, Literal, References};

impl References<'_> {
    fn literal(&self, position: i64) -> Option<Literal> {
        let literal = self.literals.get(&(position / 4 % 1024)).copied();
        literal.filter(|literal| literal.position == position)
    }

    /// Bytes of the token at `from`, and what it refers to.
    pub(super) fn by_form(
        &mut self,
        from: i64,
        to: i64,
        size: usize,
        left: usize,
    ) -> (usize, Option<(Kind, i64)>) {
        let aligned = if self.machine == 3 { 4 } else { 2 };
        for skip in 0..size {
            let at = from + skip as i64;
            if at % aligned != 0 {
                continue;
            }
            match self.form_target(at) {
                Some(found) if skip == 0 && left >= 4 => return (4, Some(found)),
                Some(_) if left >= skip + 4 => return (skip, None),
                _ => self.follow(at, to + skip as i64),
            }
        }
        (size, None)
    }

    /// The target of the instruction or word at a position, if it is a reference.
    fn form_target(&self, at: i64) -> Option<(Kind, i64)> {
        let word = self.word(at);
        if let Some(literal) = self.literal(at) {
            let target = literal.pc + i64::from(word as i32);
            return Some((Kind::Displacement, target));
        }
        match form(self.machine, word, at)? {
            Form::Branch { target } => {
                let inside = (0..self.base.len() as i64).contains(&target);
                inside.then_some((Kind::Branch, target))
            }
            Form::First { register, number } => {
                let (_, second) = self.second(at, register)?;
                Some((Kind::PageOfPair, self.whole(number, second)))
            }
            Form::Second { register, number } => {
                let (position, first) = self.halves[register as usize]?;
                let target = self.whole(first, number);
                (position == at).then_some((Kind::LowPart, target))
            }
            _ => None,
        }
    }

    /// Position and number of the second half after a first half.
    fn second(&self, at: i64, of: u32) -> Option<(i64, i64)> {
        let (last, step) = if self.machine == 3 { (36, 4) } else { (34, 2) };
        let mut later = (4..=last).step_by(step).map(|n| at + n);
        later.find_map(|at| match form(self.machine, self.word(at), at) {
            Some(Form::Second { register, number }) if register == of => Some((at, number)),
            _ => None,
        })
    }

    /// What two halves are together.
    fn whole(&self, first: i64, second: i64) -> i64 {
        match self.machine {
            3 => second * 65536 + first,
            _ => first + second,
        }
    }

    /// Follows a word of the base that is no reference.
    fn follow(&mut self, at: i64, to: i64) {
        match form(self.machine, self.word(at), at) {
            Some(Form::Load { register, word }) => self.loaded[register as usize] = Some(word),
            Some(Form::Add { register, pc }) => {
                let word = self.loaded[register as usize].take();
                if let Some(position) = word.filter(|word| *word >= pc) {
                    let literal = Literal {
                        position,
                        pc,
                        new_pc: pc - at + to,
                    };
                    self.literals.insert(position / 4 % 1024, literal);
                }
            }
            _ => {}
        }
    }

    /// The word at `to` in place of `old` at `from` that names `now`.
    pub(super) fn predict_form(
        &mut self,
        kind: Kind,
        (old, from): (u32, i64),
        now: i64,
        to: i64,
    ) -> u32 {
        let machine = self.machine;
        match (kind, form(machine, old, from)) {
            (Kind::Branch, _) => with_target(machine, old, to, now),
            (Kind::PageOfPair, Some(Form::First { register, number })) => {
                let second = self.second(from, register);
                self.halves[register as usize] = second.map(|(at, _)| (at, number));
                let upper = if machine == 3 { now } else { now - to + 0x800 };
                with_number(machine, old, upper)
            }
            (Kind::LowPart, Some(Form::Second { .. })) if machine == 3 => {
                with_number(machine, old, now >> 16)
            }
            (Kind::LowPart, Some(Form::Second { register, .. })) => {
                with_number(machine, old, now - self.target_halves[register as usize])
            }
            _ => (now - self.literal(from).map_or(0, |literal| literal.new_pc)) as u32,
        }
    }

    /// The position that `new` at `to` tells, for a token at `from`.
    pub(super) fn told(&mut self, kind: Kind, from: i64, to: i64, new: u32) -> Option<i64> {
        if kind == Kind::Displacement {
            return Some(self.literal(from)?.new_pc + i64::from(new as i32));
        }
        match (kind, form(self.machine, new, to)?) {
            (Kind::Branch, Form::Branch { target }) => Some(target),
            (Kind::PageOfPair, Form::First { register, number }) => {
                self.target_halves[register as usize] = number;
                None
            }
            (Kind::LowPart, Form::Second { register, number }) => {
                Some(self.whole(self.target_halves[register as usize], number))
            }
            _ => None,
        }
    }
}
