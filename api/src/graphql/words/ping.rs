//! Words of destinations where buyers are asked for bids.

mirror! {
    /// A system whose shape is known.
    PingPreset = "leadyard_connectors::ping::Preset", leadyard_connectors::ping::Preset {
        /// Our own: what a buyer is told who has no system yet.
        Leadyard,
        /// Lead Distro AI; it names no price, so a default price is needed.
        LeadDistro,
        /// The `pingPostLead` of boberdoo.
        Boberdoo,
        /// What LeadByte answers: `Success` and `Cost`.
        #[graphql(name = "LEADBYTE")]
        LeadByte,
        /// What PX answers: `Success`, `Payout` and `TransactionId`.
        Px,
        /// What ClickDealer answers: `Result`, `Payout` and `LeadId`.
        #[graphql(name = "CLICKDEALER")]
        ClickDealer,
        /// The first of the `bids` that Juiced answers.
        Juiced,
        /// The `ping_accept` of PingTree; it names no price, so a default price is needed.
        #[graphql(name = "PINGTREE")]
        PingTree,
        /// The `bid` of Synaptis, with its amount and currency.
        Synaptis,
        /// What LeadConduit answers: `bid` and `price`.
        #[graphql(name = "LEADCONDUIT")]
        LeadConduit,
        /// Real-time bidding of Ringba; the caller's number is never sent.
        Ringba,
    }

    /// How a buyer is asked.
    PingMethod = "leadyard_connectors::ping::PingMethod", leadyard_connectors::ping::PingMethod {
        /// With a body.
        Post,
        /// With a query, and nothing else.
        Get,
    }

    /// What a ping is written in.
    PingFormat = "leadyard_connectors::ping::PingFormat", leadyard_connectors::ping::PingFormat {
        /// A JSON object; a dot in a name nests.
        Json,
        /// Fields of a form, `application/x-www-form-urlencoded`.
        Form,
        /// XML below one root element; a dot in a name nests.
        Xml,
        /// The query of the address, after what stands there already.
        Query,
    }

    /// What a ping knows beside the fields.
    PingFact = "leadyard_connectors::ping::PingFact", leadyard_connectors::ping::PingFact {
        /// The ping's id; the buyer gets it back with the post.
        PingId,
        /// The vertical's key.
        Vertical,
        /// The campaign's name.
        Campaign,
        /// Two letters of ISO 3166.
        Country,
        /// Three letters of ISO 4217.
        Currency,
        /// The most buyers the lead goes to.
        Places,
        /// Whether it is a test.
        Test,
        /// Every field that a ping may show, by its own key.
        Fields,
    }

    /// How a personal value is hashed: over the normalised value in UTF-8, as lower-case hexadecimal digits.
    HashAlgorithm = "leadyard_connectors::ping::HashAlgorithm", leadyard_connectors::ping::HashAlgorithm {
        /// Plain SHA-256.
        #[graphql(name = "SHA256")]
        Sha256,
        /// For buyers whose lists are made of it. It hides nothing from somebody who tries all numbers.
        #[graphql(name = "MD5")]
        Md5,
        /// Keyed by the destination's newest secret.
        #[graphql(name = "HMAC_SHA256")]
        HmacSha256,
    }

    /// In what a buyer answers a ping.
    AnswerFormat = "leadyard_connectors::ping::AnswerFormat", leadyard_connectors::ping::AnswerFormat {
        /// By the content type; where that says nothing, by how the answer begins.
        Auto,
        /// JSON, whatever the content type says.
        Json,
        /// XML, whatever the content type says.
        Xml,
        /// Fields of a form.
        Form,
        /// Plain text, read by patterns only.
        Text,
    }

    /// In which unit a buyer names prices.
    PriceUnit = "leadyard_connectors::ping::PriceUnit", leadyard_connectors::ping::PriceUnit {
        /// Euro, dollars: `15.50`.
        Major,
        /// Cents: `1550`.
        Minor,
    }

    /// How a buyer who sends prices as text writes decimals.
    DecimalMark = "leadyard_connectors::ping::DecimalMark", leadyard_connectors::ping::DecimalMark {
        /// Either; what reads in two ways, `1.234`, is refused.
        Auto,
        /// As in `1,234.50`.
        Dot,
        /// As in `1.234,50`.
        Comma,
    }
}
