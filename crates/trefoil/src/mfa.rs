//! How strongly the app asks its users to turn on MFA (protocol section 12).

/// Whether and how the user is asked to turn on MFA.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MfaLevel {
    /// Never.
    None,
    /// An optional prompt on every third login while MFA is off.
    #[default]
    Default,
    /// An optional prompt on every login while MFA is off.
    Optional,
    /// Required on the first login: no wallet key is handed out before MFA is on.
    Mandatory,
}

/// What to show the user now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MfaPrompt {
    /// Nothing.
    None,
    /// An offer that can be declined.
    Optional,
    /// A demand: MFA is mandatory, or no factor is spare.
    Required,
}

/// What the prompt depends on.
pub(crate) struct Circumstances {
    pub(crate) mfa_is_on: bool,
    pub(crate) spare_factors: usize,
    pub(crate) logins: u64,
    pub(crate) dont_ask: bool,
}

impl MfaLevel {
    pub(crate) fn prompt(self, now: &Circumstances) -> MfaPrompt {
        let offer = if now.dont_ask {
            MfaPrompt::None
        } else {
            MfaPrompt::Optional
        };
        match self {
            _ if now.mfa_is_on && now.spare_factors == 0 => MfaPrompt::Required,
            _ if now.mfa_is_on => MfaPrompt::None,
            Self::None => MfaPrompt::None,
            Self::Default if now.logins.is_multiple_of(3) => offer,
            Self::Default => MfaPrompt::None,
            Self::Optional => offer,
            Self::Mandatory => MfaPrompt::Required,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prompts(level: MfaLevel, dont_ask: bool) -> Vec<MfaPrompt> {
        let at = |logins| {
            level.prompt(&Circumstances {
                mfa_is_on: false,
                spare_factors: 0,
                logins,
                dont_ask,
            })
        };
        (1..=6).map(at).collect()
    }

    #[test]
    fn each_level_asks_as_it_should() {
        use MfaPrompt::{None, Optional, Required};
        assert_eq!(prompts(MfaLevel::None, false), [None; 6]);
        assert_eq!(
            prompts(MfaLevel::Default, false),
            [None, None, Optional, None, None, Optional]
        );
        assert_eq!(prompts(MfaLevel::Optional, false), [Optional; 6]);
        assert_eq!(prompts(MfaLevel::Mandatory, false), [Required; 6]);
    }

    #[test]
    fn dont_ask_again_silences_offers_but_not_demands() {
        assert_eq!(prompts(MfaLevel::Default, true), [MfaPrompt::None; 6]);
        assert_eq!(prompts(MfaLevel::Optional, true), [MfaPrompt::None; 6]);
        assert_eq!(prompts(MfaLevel::Mandatory, true), [MfaPrompt::Required; 6]);
    }

    #[test]
    fn an_account_without_a_spare_factor_is_always_asked() {
        for level in [
            MfaLevel::None,
            MfaLevel::Default,
            MfaLevel::Optional,
            MfaLevel::Mandatory,
        ] {
            let on = |spare_factors| Circumstances {
                mfa_is_on: true,
                spare_factors,
                logins: 1,
                dont_ask: true,
            };
            assert_eq!(level.prompt(&on(0)), MfaPrompt::Required);
            assert_eq!(level.prompt(&on(1)), MfaPrompt::None);
        }
    }
}
