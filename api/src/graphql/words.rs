//! The words of the market as GraphQL enums. They are the words of `leadyard-types`, spelt the same; only their
//! descriptions are here, because that room knows no GraphQL.

/// An enum of `leadyard-types` and its GraphQL face.
macro_rules! mirror {
    ($($(#[$meta:meta])* $name:ident = $path:literal, $of:ty { $($(#[$vmeta:meta])* $variant:ident),+ $(,)? })+) => {$(
        $(#[$meta])*
        #[derive(async_graphql::Enum, Debug, Clone, Copy, PartialEq, Eq)]
        #[graphql(remote = $path)]
        pub(crate) enum $name { $($(#[$vmeta])* $variant),+ }

        impl $name {
            /// The word as it is stored.
            #[allow(dead_code, reason = "some words are only ever part of terms")]
            pub(crate) fn read(stored: &str) -> async_graphql::Result<Self> {
                let word: $of = stored.parse().map_err(crate::graphql::errors::internal)?;
                Ok(word.into())
            }
        }
    )+};
}

mirror! {
    /// Whether something takes part in the market.
    Status = "leadyard_types::Status", leadyard_types::Status {
        /// Takes part.
        Active,
        /// Set aside; can be resumed.
        Paused,
        /// Ended for good; kept for the record.
        Archived,
    }

    /// How a letter to somebody stands.
    MailState = "leadyard_types::MailState", leadyard_types::MailState {
        /// It is on its way, or waits for the next try.
        Waiting,
        /// The mail server took it.
        Sent,
        /// It was refused for good, or could not be sent in time.
        Failed,
    }

    /// A part of the work, as keys are given it: a key may do what its user's role may, as far as its scopes go.
    ApiKeyScope = "leadyard_types::KeyScope", leadyard_types::KeyScope {
        /// Reads how the market is set up and how it stands: campaigns, contracts, standing, territory.
        Market,
        /// Changes how the market is set up: the operator's terms, a buyer's own bids; who is on the suppression list; and
        /// sends made-up leads to destinations to try them out.
        Setup,
        /// Reads leads and what became of them: sales, deliveries, decisions; without what people entered.
        Leads,
        /// Reads what people entered, beside the leads themselves; masked as the role has it. Finds the leads of a person,
        /// and reads the suppression list.
        Persons,
        /// Sends leads.
        Submit,
        /// Sees to what was sold: sends deliveries again, settles lost answers, opens complaints, reports conversions.
        Delivery,
        /// Reads balances, transfers and figures; simulates.
        Books,
        /// Moves money: top-ups, credits, credit limits, what suppliers are paid, ad spend, what becomes of complaints.
        Money,
        /// Reads who the users are, their keys and sessions, and the audit.
        People,
    }

    /// What a user may do.
    Role = "leadyard_types::Role", leadyard_types::Role {
        /// Staff: everything.
        Admin,
        /// Staff: runs the market, moves no money out.
        Manager,
        /// Staff: money, no routing; personal data is masked.
        Finance,
        /// Staff: reads only; personal data is masked.
        Analyst,
        /// Administers a buyer's own side.
        BuyerAdmin,
        /// Works with a buyer's leads.
        BuyerUser,
        /// Sees a supplier's own leads, without the people behind them.
        Supplier,
    }

    /// What a contract outside its hours does with a lead it would buy.
    OutsideHours = "leadyard_types::terms::OutsideHours", leadyard_types::terms::OutsideHours {
        /// Lets it go to the next contract.
        Next,
        /// Lets it wait for the window, if nobody else buys it at once.
        Wait,
    }

    /// One of the two plans of stages between which an experiment divides leads.
    Plan = "leadyard_types::Plan", leadyard_types::Plan {
        /// The campaign's own stages.
        A,
        /// The experiment's stages.
        B,
    }

    /// Where a lead stands.
    LeadState = "leadyard_types::LeadState", leadyard_types::LeadState {
        /// Stored; a buyer's answer is still awaited.
        Received,
        /// Refused by a check before it was offered.
        Rejected,
        /// Set aside until a person has looked at it.
        Quarantined,
        /// Sold, once or several times.
        Sold,
        /// Nobody bought it, and it is not offered again by itself.
        Unsold,
        /// Nobody bought it yet; it is offered again until its window ends.
        Queued,
        /// Nobody bought it in time; it is offered for less to contracts that buy aged leads, until it is too old.
        Aged,
    }

    /// The door a lead came through.
    Door = "leadyard_types::Door", leadyard_types::Door {
        /// `POST /v1/leads`.
        Rest,
        /// The mutation `leadSubmit`.
        Graphql,
        /// A web form.
        Form,
        /// `POST /v1/posts`: a lead that was offered by a ping before.
        Post,
        /// A CSV file.
        Import,
    }

    /// What happened in a lead's life.
    LeadEventKind = "leadyard_types::lead::LeadEventKind", leadyard_types::lead::LeadEventKind {
        /// It was taken in.
        Received,
        /// A check refused it.
        Rejected,
        /// It was set aside for a person to look at.
        Quarantined,
        /// A person released it from quarantine.
        Released,
        /// It was offered to a buyer who answers.
        Offered,
        /// A contract bought it.
        Sold,
        /// The buyer who was asked said no.
        SaleRejected,
        /// The answer of the buyer who was asked got lost.
        SaleUnknown,
        /// The window for a lost answer ended.
        SaleExpired,
        /// Nobody bought it; it will be offered again.
        Queued,
        /// Nobody bought it.
        Unsold,
        /// Nobody bought it in time; it is offered for less.
        Aged,
        /// It reached a destination.
        Delivered,
        /// A delivery was given up.
        DeliveryDead,
        /// Staff sent it again.
        DeliveryReplayed,
        /// A buyer complained about it.
        ComplaintOpened,
        /// A complaint about it was decided.
        ComplaintDecided,
        /// A buyer reported what became of it.
        ConversionReported,
        /// Staff offered it again.
        Reprocessed,
    }

    /// The published checks, in the order in which they run.
    Check = "leadyard_types::Check", leadyard_types::Check {
        /// 1: source and campaign active, source hours and caps.
        Source,
        /// 2: fields known, typed and given where required.
        Fields,
        /// 3: not on a suppression list.
        Suppression,
        /// 4: consent present, not expired, for the right purpose.
        Consent,
        /// 5: not a duplicate.
        Duplicate,
        /// 6: paid verifications.
        Verification,
        /// 7: the score reaches its threshold.
        Score,
        /// 8: the contract is active.
        ContractActive,
        /// 8: the buyer is active.
        BuyerActive,
        /// 8: tests go to contracts in test mode, and to those only.
        TestMode,
        /// 8: within the contract's hours.
        Hours,
        /// 8: the contract's filters match.
        Filters,
        /// 8: the contract buys aged leads, where this is one.
        Aged,
        /// 8: the source is allowed, or not denied.
        SourceList,
        /// 8: not sold to this buyer or its group before.
        AlreadySold,
        /// 8: the consent names the buyer, where that is asked.
        ConsentNamesBuyer,
        /// 8: caps of contract, buyer and campaign.
        Caps,
        /// 8: the buyer's money covers the price.
        Balance,
        /// 8: the buyer, asked for a bid, made one in time.
        Bid,
        /// 9: the price reaches the campaign's floor.
        Floor,
        /// 9: the contract takes part in a stage, and its exclusivity fits the sale mode.
        Stage,
        /// 9: eligible, but another contract was chosen.
        NotChosen,
        /// 9: the buyer answered no to the post.
        BuyerRefused,
        /// Nobody bought the lead.
        NoBuyer,
        /// Nobody bought the lead at a price that keeps what its supplier was promised.
        PromiseLapsed,
    }

    /// How a stage chooses among its contracts.
    Method = "leadyard_types::Method", leadyard_types::Method {
        /// By priority, 1 first.
        Waterfall,
        /// In turn: who was served longest ago comes first.
        RoundRobin,
        /// By fair shares of the contracts' weights.
        Weighted,
        /// By what buyers bid, fixed prices among them.
        Auction,
    }

    /// Whether a contract shares leads with others.
    Exclusivity = "leadyard_types::terms::Exclusivity", leadyard_types::terms::Exclusivity {
        /// Buys exclusive and shared leads.
        Any,
        /// Buys only leads that nobody else gets.
        ExclusiveOnly,
        /// Buys only where at least two buy.
        AtLeastTwo,
    }

    /// The period over which a cap counts, in its owner's time zone.
    CapPeriod = "leadyard_types::CapPeriod", leadyard_types::CapPeriod {
        /// The clock hour.
        Hour,
        /// The calendar day.
        Day,
        /// The week, Monday to Sunday.
        Week,
        /// The calendar month.
        Month,
        /// For ever.
        Total,
    }

    /// Whether the buyer answers when a lead is posted.
    Verdict = "leadyard_types::Verdict", leadyard_types::Verdict {
        /// No answer is awaited: charged when sold.
        None,
        /// The buyer's answer accepts or rejects: charged when accepted.
        Sync,
    }

    /// Where a sale stands.
    SaleState = "leadyard_types::SaleState", leadyard_types::SaleState {
        /// Money is held; the buyer's answer is awaited.
        Pending,
        /// Final and charged.
        Sold,
        /// The buyer refused it; nothing was charged.
        Rejected,
        /// The buyer's answer was lost; the money stays held until somebody says what became of it.
        Unknown,
        /// Nobody said in time what became of a lost answer; the money was let go.
        UnknownExpired,
    }

    /// What kind of place a lead goes to.
    DestinationKind = "leadyard_types::DestinationKind", leadyard_types::DestinationKind {
        /// A signed HTTP POST (Standard Webhooks).
        Webhook,
        /// A mail to the buyer.
        Email,
        /// Nothing is sent; the buyer reads it here.
        Portal,
        /// Where the buyer is asked for bids; nothing is delivered there.
        Ping,
    }

    /// What came of asking a buyer for a bid.
    PingVerdict = "leadyard_types::PingVerdict", leadyard_types::PingVerdict {
        /// A bid, in time and understood.
        Bid,
        /// The buyer does not want the lead.
        NoBid,
        /// The buyer has the person already.
        Duplicate,
        /// The answer was not understood, or its price could not be taken.
        Invalid,
        /// No answer in time.
        Late,
        /// The buyer could not be reached, or answered with an error.
        Failed,
    }

    /// What put one bid before the next in an auction: the published order of ties.
    DecidedBy = "leadyard_types::DecidedBy", leadyard_types::DecidedBy {
        /// What it is expected to bring, net of complaints.
        Net,
        /// The higher price.
        Price,
        /// The lower complaint rate.
        ComplaintRate,
        /// The longest time without a sale.
        LongestWithoutSale,
        /// The contract's id: nothing else told them apart.
        ContractId,
    }

    /// Where a delivery stands.
    DeliveryState = "leadyard_types::DeliveryState", leadyard_types::DeliveryState {
        /// Waits for its next attempt.
        Pending,
        /// The destination took it.
        Accepted,
        /// The buyer answered no.
        Rejected,
        /// The answer was lost, and sending again would not be safe.
        Unknown,
        /// Given up after the last attempt; staff can replay it.
        Dead,
    }

    /// What an attempt did.
    AttemptKind = "leadyard_types::AttemptKind", leadyard_types::AttemptKind {
        /// Sent the lead.
        Send,
        /// Asked the buyer what became of a lead whose answer was lost.
        StatusQuery,
    }

    /// What one attempt came to.
    DeliveryOutcome = "leadyard_types::DeliveryOutcome", leadyard_types::DeliveryOutcome {
        /// The destination took it.
        Accepted,
        /// The destination had it already.
        Duplicate,
        /// The buyer says no.
        Rejected,
        /// Not now; it is tried again later.
        Retry,
        /// Our authorisation at the destination ended.
        AuthorisationExpired,
        /// Sent, but the answer was lost or does not say what became of the lead.
        Unknown,
        /// The destination cannot be asked as it is set up.
        Misconfigured,
        /// The destination says it is gone for good.
        Gone,
    }

    /// Why a buyer complains.
    ComplaintReason = "leadyard_types::ComplaintReason", leadyard_types::ComplaintReason {
        /// The contact data leads to nobody, or to somebody else.
        WrongContact,
        /// The person could not be reached in several tries.
        Unreachable,
        /// The buyer had this person already.
        Duplicate,
        /// The lead is not what the contract asks for.
        OutsideTerms,
        /// The person never asked, or says so.
        NoInterest,
        /// Made-up or malicious data.
        Fraud,
        /// Something else; the evidence says what.
        Other,
    }

    /// Where a complaint stands.
    ComplaintState = "leadyard_types::ComplaintState", leadyard_types::ComplaintState {
        /// Awaits a decision.
        Open,
        /// Decided for the buyer, with a credit.
        Upheld,
        /// Decided against the buyer.
        Refused,
    }

    /// Why money moved.
    TransferKind = "leadyard_types::TransferKind", leadyard_types::TransferKind {
        /// Money came in.
        TopUp,
        /// A sale was charged.
        Sale,
        /// A complaint was upheld.
        ComplaintCredit,
        /// Finance gave money back as a gesture.
        ManualCredit,
        /// A supplier earned.
        Payout,
        /// A supplier's earning was taken back.
        Clawback,
        /// An ad platform was paid.
        AdSpend,
        /// A supplier was paid what it was owed.
        Settlement,
        /// An earlier transfer was reversed.
        Reversal,
    }

    /// What an account of the ledger stands for.
    AccountKind = "leadyard_types::AccountKind", leadyard_types::AccountKind {
        /// A buyer's money with the operator.
        BuyerWallet,
        /// What a supplier is owed.
        SupplierPayable,
        /// What sales earned.
        Revenue,
        /// What credits to buyers cost.
        Credits,
        /// What suppliers' earnings cost.
        PayoutCost,
        /// What ad platforms cost.
        AdSpendCost,
        /// Money outside the market: bank and payment provider.
        Cash,
    }

    /// Where a hold stands.
    HoldState = "leadyard_types::HoldState", leadyard_types::HoldState {
        /// The money is held.
        Open,
        /// The money was taken.
        Posted,
        /// The money was let go.
        Voided,
    }

    /// What a buyer reports about a lead it bought.
    ConversionKind = "leadyard_types::ConversionKind", leadyard_types::ConversionKind {
        /// The person was reached.
        Contacted,
        /// An offer was made.
        Quoted,
        /// The person bought.
        Won,
        /// The person did not buy.
        Lost,
    }

    /// What a field holds, and so how it is checked and normalised.
    FieldKind = "leadyard_types::FieldKind", leadyard_types::FieldKind {
        /// Free text.
        Text,
        /// A whole number.
        Integer,
        /// A decimal number.
        Decimal,
        /// Yes or no, `true` or `false`.
        Boolean,
        /// A calendar date, `2026-11-21`.
        Date,
        /// An e-mail address, lower-cased.
        Email,
        /// A telephone number, kept as E.164: `+493020000000`.
        Phone,
        /// A postal code of the campaign's country, leading zeros kept.
        PostalCode,
        /// A state or province.
        State,
        /// An ISO 3166 country code.
        Country,
        /// An http or https address.
        Url,
        /// An IPv4 or IPv6 address.
        Ip,
    }

    /// From which step on a field must be given.
    Requirement = "leadyard_types::Required", leadyard_types::Required {
        /// It may be left out.
        Never,
        /// Needed already when a lead is only offered.
        Ping,
        /// Needed when the full lead is sent.
        Post,
    }

    /// What happens to fields that the vertical does not define.
    UnknownFields = "leadyard_types::field::UnknownFields", leadyard_types::field::UnknownFields {
        /// They are kept with the lead, as personal data.
        Keep,
        /// The lead is refused, naming them.
        Refuse,
    }
}

mod ping;
mod setup;

pub(crate) use ping::{
    AnswerFormat, DecimalMark, HashAlgorithm, PingFact, PingFormat, PingMethod, PingPreset, PriceUnit,
};
pub(crate) use setup::{DuplicateMatch, DuplicateScope, OnSold, Pricing};
